"""What tests ask of the page in a browser."""

from tests.reports.made_up import CONTROLS, SKILL

METHODS = [name for name in SKILL if name not in CONTROLS]
FIDELITY = "fidelity unseen (efficientnet-lite0) ↑"


def region(page, name):
    return page.get_by_role("region", name=f"table: {name}", exact=True)


def column(page, name, number):
    """Texts of a column without the second lines, in the order that is shown."""
    rows = region(page, name).locator("tbody tr:not(.band):visible")
    return rows.evaluate_all(
        """(rows, n) => rows.map(row => {
             const cell = row.cells[n];
             return (cell.querySelector("b, bdi") ?? cell).textContent.trim();
           })""",
        number,
    )


def chip(page, name):
    """The button that shows or hides a method's pictures."""
    return page.get_by_role("group", name="Methods").get_by_role("button", name=name, exact=True)


def cards(page, count):
    """Alternative texts of the first cards, once they are there."""
    page.locator("#found").scroll_into_view_if_needed()
    page.locator("#wall .card").nth(count - 1).wait_for()
    return page.locator("#wall .card img").evaluate_all("all => all.map(image => image.alt)")
