-- ä
/* x
 */ SELECT 1;  SELECT 'ä
'; SELECT 3;

  CREATE TABLE t (a INT);