SELECT ';'
;
SELECT 'it''s;'
;
SELECT 'a\';'
;
SELECT "a\";"
;
SELECT 'a\\', ';', 'b\\\';', '\'', ';'
;
SELECT "a"";"
;
SELECT `a``;`
;
SELECT 1 -- ;
 + 1
;
SELECT 1 # ;
 + 1
;
SELECT 1 --	;
 + 1
;
SELECT /* ; */ 1
;
SELECT /*+ NO_INDEX_MERGE(t) ; */ 1
;
SELECT 1--1
;
SELECT 'next';
