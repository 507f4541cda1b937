"""Rules and scores over text: farewells, role labels, repeats, length, layout, thanks, risk. Pure functions; no model is asked."""

from practicum.measures.counseling import counsels
from practicum.measures.farewell import PAPER_ENDINGS, paper_ending, says_goodbye
from practicum.measures.labels import is_stage_direction, speaks_for_other, strip_label
from practicum.measures.layout import first_paragraph, has_enumeration, has_line_break
from practicum.measures.length import chinese_characters, english_words, too_long
from practicum.measures.repeats import normal_form, repeats_earlier
from practicum.measures.reply_check import CheckRules, Fault, check_reply, repair
from practicum.measures.risk import Risk, find_risks
from practicum.measures.thanks import says_thanks

__all__ = [
    "PAPER_ENDINGS",
    "CheckRules",
    "Fault",
    "Risk",
    "check_reply",
    "chinese_characters",
    "counsels",
    "english_words",
    "find_risks",
    "first_paragraph",
    "has_enumeration",
    "has_line_break",
    "is_stage_direction",
    "normal_form",
    "paper_ending",
    "repair",
    "repeats_earlier",
    "says_goodbye",
    "says_thanks",
    "speaks_for_other",
    "strip_label",
    "too_long",
]
