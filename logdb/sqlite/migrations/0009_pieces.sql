-- A cell of the hour tier lies in pieces of 990 bytes (id: that of the cell plus the number of the piece), of which four fill a page.
INSERT INTO roll (id, crc, data) SELECT id + 1, 0, substr(data, 991, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 990 AND length(data) <= 7920;
INSERT INTO roll (id, crc, data) SELECT id + 2, 0, substr(data, 1981, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 1980 AND length(data) <= 7920;
INSERT INTO roll (id, crc, data) SELECT id + 3, 0, substr(data, 2971, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 2970 AND length(data) <= 7920;
INSERT INTO roll (id, crc, data) SELECT id + 4, 0, substr(data, 3961, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 3960 AND length(data) <= 7920;
INSERT INTO roll (id, crc, data) SELECT id + 5, 0, substr(data, 4951, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 4950 AND length(data) <= 7920;
INSERT INTO roll (id, crc, data) SELECT id + 6, 0, substr(data, 5941, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 5940 AND length(data) <= 7920;
INSERT INTO roll (id, crc, data) SELECT id + 7, 0, substr(data, 6931, 990) FROM roll WHERE (id & 16777215) % 28 = 0 AND length(data) > 6930 AND length(data) <= 7920;
UPDATE roll SET data = substr(data, 1, 990) WHERE (id & 16777215) % 28 = 0 AND length(data) > 990 AND length(data) <= 7920;
