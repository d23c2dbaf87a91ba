"""The Faust app: thin agents around functions that know no Faust."""
