-- name: copy
insert into <copy> select * from <live>

-- name: differing
-- by the primary keys of both; the first in key order, and how many there are
select count(*) over () as number, owner, doc_key,
    a.document as one, b.document as other,
    array[a.doc_version, a.last_position] as one_place, array[b.doc_version, b.last_position] as other_place
from <one> a full join <other> b using (owner, doc_key)
where a.document is null or b.document is null or a.document::text <> b.document::text
    or (a.doc_version, a.last_position) <> (b.doc_version, b.last_position)
order by owner, doc_key limit 1
