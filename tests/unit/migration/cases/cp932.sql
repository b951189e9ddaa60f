INSERT INTO t VALUES ('•\', 'x;y', "ƒ\"); SELECT `ƒ``, 1 AS aƒ`; SELECT '\•', '•\\\', ';'; SELECT 1 AS ƒ\; SELECT '±•'; -- •
/* •\ */ SELECT 2;
