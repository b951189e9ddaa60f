SET STATEMENT sql_mode = '' FOR CREATE PROCEDURE p() BEGIN SELECT 1; SELECT 2; END;
SET /* ; */ STATEMENT a = (SELECT SUBSTRING('x' FROM 1 FOR 2)), b = 1 FOR SELECT begin FROM t; SELECT 1;
set statement lc_time_names = 'de_DE' for begin not atomic select 1; select 2; end;
SET STATEMENT a = @for, b = 'FOR BEGIN' FOR IF 1 THEN SELECT 1; END IF;
SET STATEMENT a = 1; SELECT 2;
SET statement_timeout = 1; SELECT 3;
