package config

import "path/filepath"

// LogsFile is the log database of a data folder.
func LogsFile(data string) string { return filepath.Join(data, "logs.db") }

// MetaFile is the database of meters, users and cloud settings of a data folder.
func MetaFile(data string) string { return filepath.Join(data, "meta.db") }

// MasterKeyFile is the key that seals secrets in a data folder's databases.
func MasterKeyFile(data string) string { return filepath.Join(data, "secrets", "master.key") }

// CAFile is the certificate of a node's own authority, for clients: a copy, which nobody reads back.
func CAFile(data string) string { return filepath.Join(data, "ca.pem") }

// AuditFolder is where the audit is written for other programs.
func AuditFolder(data string) string { return filepath.Join(data, "audit") }

// SecretPrefix begins the place of a password that is none in a file: secret:NAME is kept sealed by the node.
const SecretPrefix = "secret:"

// LogFile is the program's own log in a data folder.
func LogFile(data string) string { return filepath.Join(data, "log", "metermanager.log") }

// DemoFile tells where a demonstration's parts answer, and with which credentials.
func DemoFile(dir string) string { return filepath.Join(dir, "demo.json") }

// ArchiveFolder holds the files of full resolution of a data folder.
func ArchiveFolder(data string) string { return filepath.Join(data, "archive") }
