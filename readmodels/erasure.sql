-- name: blank
-- journal_of_owner; a row without its payload is a pointer to the document (sync §13), its hash stays
update journal set payload = null where owner = $1 and position < $2 and payload is not null

-- name: forget_errors
update quarantine set error = 'erased' where owner = $1 and position < $2
