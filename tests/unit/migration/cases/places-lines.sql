SELECT 1;
SELECT '
;
';


SELECT
3;
SELECT 4; SELECT 5;
 SELECT 6;
SELECT 7;



















