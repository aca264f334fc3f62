package webapi

import "context"

func requestID(context.Context) string { return "" }
