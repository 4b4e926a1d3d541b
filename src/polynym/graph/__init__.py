"""The Graph protocol, ignorant of any feature: declarations, dispatch, expansion, paging, batch, HTTP."""
