"""Knows how the example's ticket data set is made: templates a label, filled in the same way every time.

    python make_tickets.py > data/tickets.csv

The tickets are invented, so that the repository may hold them; the file is committed, so that training reads data and not code.
"""

from __future__ import annotations

import csv
import io
import random
import sys

SEED = 20
ROWS_PER_TEMPLATE = 8
FIRST_WAVE = 12  # templates a label that were there for 1.0.0; the rest came in later and stand at the end of the file

FILLINGS = {
    "product": ["the mobile app", "the dashboard", "the API", "the desktop client", "the reports page", "the export tool"],
    "when": ["since this morning", "after the last update", "for three days now", "every single time", "again", "as of today"],
    "amount": ["12.50 EUR", "99 dollars", "the yearly fee", "240 pounds", "two monthly fees", "the full price"],
    "person": ["my colleague", "our finance team", "a new employee", "my manager", "one of our customers", "the office in Lyon"],
}

# People open a ticket in many ways and mean nothing by it: the classifier has to live with that, or strip it (preprocessing "2").
OPENINGS = ["Hello, ", "Hi team. ", "Dear support, ", "URGENT: ", "Good morning! ", "Hey there, "]

# The order counts: a template's number is its place, and new ones are added at the end of a label.
TEMPLATES: dict[str, list[str]] = {
    "account": [
        "{person} cannot log in {when}",
        "Reset the password for {person}, the link in the mail has run out",
        "Please delete the account of {person} and all data in it",
        "{person} lost the phone with the second factor and is locked out {when}",
        "Change the e-mail address of {person} to the new domain",
        "Two users were created for {person}; can you merge them?",
        "The invitation for {person} never arrived",
        "{person} has left the company, please take away the access to {product}",
        "Single sign-on sends {person} back to the login page {when}",
        "We need one more seat for {person} with the role of an administrator",
        "My profile shows the wrong name {when}",
        "Somebody signed in as {person} from another country, please lock it",
        "The account of {person} is suspended although nobody here asked for that",
        "Who of us is the owner of our workspace? {person} needs to take it over",
        "{person} gets 'wrong credentials' on {product} {when}",
        "Give {person} read-only rights for {product}",
    ],
    "billing": [
        "I was charged {amount} twice {when}",
        "Please refund {amount}, we cancelled in time",
        "The invoice shows {amount} but we agreed on less",
        "{person} needs a corrected invoice with our VAT number",
        "Why did my card get debited {amount} {when}?",
        "We want to pay {amount} by bank transfer instead of by card",
        "The payment of {amount} was declined {when}, although the card is fine",
        "Can {person} get the receipts of last year for the tax office?",
        "Move us from the monthly to the yearly plan and settle {amount}",
        "The discount code was not taken off, we paid {amount}",
        "Your reminder says that {amount} is overdue, but it was paid",
        "{amount} for {product} does not appear in the quote we signed",
        "Our purchase order number is missing on the bill for {amount}",
        "How much will {product} cost us with twenty users?",
        "Stop the subscription at the end of the month, {person} was told it costs {amount}",
        "The currency on the statement is wrong, {amount} should be in Swiss francs",
    ],
    "bug": [
        "{product} crashes {when}",
        "I get a stack trace in {product} {when}",
        "{product} returns error 500 {when}",
        "{product} is frozen and shows a blank screen {when}",
        "Saving in {product} loses the last change",
        "The totals in {product} are wrong {when}",
        "Search finds nothing in {product} {when}, although the entries are there",
        "{product} takes a minute to load {when}; it used to be instant",
        "Dates are shifted by one day in {product} {when}",
        "The button to save does not react in {product} {when}",
        "Special characters come out as question marks in {product}",
        "Notifications from {product} arrive twice {when}",
        "The file from {product} is empty {when}",
        "{person} sees an endless spinner in {product} {when}",
        "The chart in {product} overlaps with the menu {when}",
        "Since the upgrade {product} says 'unexpected token' {when}",
    ],
    "feature": [
        "Please add dark mode to {product}",
        "It would be great if {product} supported webhooks",
        "{person} would like to edit many entries at once in {product}",
        "Are there plans for a Spanish version of {product}?",
        "Feature request: keyboard shortcuts in {product}",
        "We miss a way to tag entries by colour in {product}",
        "Could {product} remember the last filter? That would save us time",
        "A calendar view would be a good addition to {product}",
        "Suggestion from {person}: let us schedule reports by the hour",
        "Would you consider an integration of {product} with our chat tool?",
        "An undo in {product} would make {person} very happy",
        "We vote for offline support in {product}",
        "{product} should offer templates that {person} can share",
        "Idea: show a preview before {product} sends anything",
        "{person} wishes for larger fonts in {product}",
        "It is a pity that {product} has no audit trail, please build one",
    ],
    "howto": [
        "How do I export a file from {product}?",
        "Where is the setting for notifications in {product}?",
        "Can you explain how to share a view in {product}?",
        "Is there a guide with which {person} can start with {product}?",
        "What is the right way to import contacts into {product}?",
        "Which steps do I take to archive an old project in {product}?",
        "I do not understand what the status 'pending' means in {product}",
        "How can {person} change the time zone in {product}?",
        "Where do I find the documentation of {product}?",
        "Please show me how to connect {product} to a spreadsheet",
        "What is the difference between a folder and a collection in {product}?",
        "Is it possible to print from {product}, and how?",
        "How many entries does {product} take at the most?",
        "Who can tell {person} how the filters in {product} are combined?",
        "We would like to know how to restore a deleted entry in {product}",
        "Do you have a video about the first steps in {product}?",
    ],
}


def tickets() -> list[tuple[str, str, str]]:
    """Rows of (template, label, text), first wave first; a template's texts differ from one another."""
    rows: list[tuple[str, str, str]] = []
    for wave in (range(FIRST_WAVE), range(FIRST_WAVE, max(map(len, TEMPLATES.values())))):
        for label in sorted(TEMPLATES):
            for place in wave:
                name = f"{label}-{place + 1:02}"
                rows += [(name, label, text) for text in _texts(name, TEMPLATES[label][place])]
    return rows


def _texts(name: str, template: str) -> list[str]:
    # A generator of its own for each template: a template that is added or changed leaves the texts of all others as they were.
    chance = random.Random(f"{SEED} {name}")
    texts: dict[str, None] = {}
    for _ in range(100 * ROWS_PER_TEMPLATE):
        if len(texts) == ROWS_PER_TEMPLATE:
            return list(texts)
        text = template.format(**{slot: chance.choice(words) for slot, words in FILLINGS.items()})
        text = text[0].upper() + text[1:]
        texts[chance.choice(OPENINGS) + text if chance.random() < 0.4 else text] = None
    raise ValueError(f"{name}: fewer than {ROWS_PER_TEMPLATE} different texts can be made of {template!r}; give it a slot")


def as_csv(rows: list[tuple[str, str, str]]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["template", "label", "text"])
    writer.writerows(rows)
    return out.getvalue().encode()


if __name__ == "__main__":
    sys.stdout.buffer.write(as_csv(tickets()))
