"""Rules and scores over text: farewells, role labels, repeats, length, layout, thanks, risk, style. Pure functions; no model is asked.

`practicum.measures.agreement` stands apart, because numpy takes longer to load than all the rest: import it by its name.
"""

from practicum.measures.chi_square import chi_square_p
from practicum.measures.confiding import confides
from practicum.measures.counseling import counsels
from practicum.measures.farewell import PAPER_ENDINGS, paper_ending, says_goodbye
from practicum.measures.inviting import invites
from practicum.measures.labels import is_stage_direction, speaks_for_other, strip_label
from practicum.measures.layout import first_paragraph, has_enumeration, has_line_break
from practicum.measures.leak import untold_words
from practicum.measures.length import chinese_characters, english_words, too_long
from practicum.measures.loops import count_repeats, find_loop, may_loop
from practicum.measures.markdown import is_list, may_list
from practicum.measures.overlap import copied_share
from practicum.measures.praise import is_empty_praise
from practicum.measures.pronouns import count_persons
from practicum.measures.refusal import speaks_as_model
from practicum.measures.repeats import normal_form, repeats_earlier
from practicum.measures.reply_check import CheckRules, Fault, check_reply, repair
from practicum.measures.risk import Risk, find_risks
from practicum.measures.script import broken_characters, foreign_share, is_plain_chinese, other_script
from practicum.measures.stage import cut_stage_directions
from practicum.measures.style import STYLE_FEATURES, style_features
from practicum.measures.thanks import says_thanks
from practicum.measures.winding_up import breaks_off, is_closed, wraps_up

__all__ = [
    "PAPER_ENDINGS",
    "STYLE_FEATURES",
    "CheckRules",
    "Fault",
    "Risk",
    "breaks_off",
    "broken_characters",
    "check_reply",
    "chi_square_p",
    "chinese_characters",
    "confides",
    "copied_share",
    "counsels",
    "count_persons",
    "count_repeats",
    "cut_stage_directions",
    "english_words",
    "find_loop",
    "find_risks",
    "first_paragraph",
    "foreign_share",
    "has_enumeration",
    "has_line_break",
    "invites",
    "is_closed",
    "is_empty_praise",
    "is_list",
    "is_plain_chinese",
    "is_stage_direction",
    "may_list",
    "may_loop",
    "normal_form",
    "other_script",
    "paper_ending",
    "repair",
    "repeats_earlier",
    "says_goodbye",
    "says_thanks",
    "speaks_as_model",
    "speaks_for_other",
    "strip_label",
    "style_features",
    "too_long",
    "untold_words",
    "wraps_up",
]
