"""Rules and scores over text: farewells, role labels, repeats, length, layout, thanks, risk, style. Pure functions; no model is asked.

`practicum.measures.agreement` stands apart, because numpy takes longer to load than all the rest: import it by its name.
"""

from practicum.measures.chi_square import chi_square_p
from practicum.measures.counseling import counsels
from practicum.measures.farewell import PAPER_ENDINGS, paper_ending, says_goodbye
from practicum.measures.labels import is_stage_direction, speaks_for_other, strip_label
from practicum.measures.layout import first_paragraph, has_enumeration, has_line_break
from practicum.measures.length import chinese_characters, english_words, too_long
from practicum.measures.repeats import normal_form, repeats_earlier
from practicum.measures.reply_check import CheckRules, Fault, check_reply, repair
from practicum.measures.risk import Risk, find_risks
from practicum.measures.style import STYLE_FEATURES, style_features
from practicum.measures.thanks import says_thanks

__all__ = [
    "PAPER_ENDINGS",
    "STYLE_FEATURES",
    "CheckRules",
    "Fault",
    "Risk",
    "check_reply",
    "chi_square_p",
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
    "style_features",
    "too_long",
]
