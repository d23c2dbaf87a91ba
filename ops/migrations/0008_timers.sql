-- log_append takes streams.wake_at as well; the function before it would leave timers as they were.
drop function if exists log_append(
    timestamptz, text, text, text, text, text, text, text, text, text, text, text, text, text,
    int, text, text, text, text, text, text, text, text, text
);
