"""A report as one page for the browser.

In reading order: ``sample.py`` draws the spectra that a report keeps for its page, ``stars.py``
says what is known of each, ``words.py`` writes what was found, ``figures.py`` draws with bokeh, and
``document.py`` puts all into one file with ``page.html``, ``page.css`` and ``page.js``.
"""
