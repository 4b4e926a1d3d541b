"""What every feature is handed: context, store, clock, ids, keys, settings, the way out."""
