"""Our processes, each composed of its room's parts and the settings; a module each, so none loads another's."""
