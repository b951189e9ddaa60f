-- The client does not know that this is a name, whose backslash means nothing.
DELIMITER //
SELECT 1 AS "a\"; SELECT "b//" //
SELECT 2 //
