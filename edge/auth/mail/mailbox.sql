-- name: add
insert into dev_mailbox (recipient, subject, text, code, at) values ($1, $2, $3, $4, $5)

-- name: newest
-- Index: dev_mailbox_of_recipient, or dev_mailbox_pkey without a recipient.
select recipient, subject, text, code, at from dev_mailbox
where $1::text is null or lower(recipient) = lower($1)
order by id desc limit $2
