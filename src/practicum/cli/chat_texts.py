"""What `practicum chat` says to the person, in the language of the session."""

from __future__ import annotations

from collections.abc import Mapping

from practicum.core import Ending, Language

COMMANDS = ("undo", "retry", "history", "save", "quit", "help")

TEXTS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "me": "你：",
        "client": "来访者",
        "undo": "收回最后一个来回",
        "retry": "请对方把上一句重说一遍",
        "history": "看到目前为止的对话",
        "save": "保存会话：/save，或 /save 名称",
        "quit": "结束会话（Ctrl-D 也可以）",
        "help": "列出这些命令",
        "unknown": "没有 {name} 这个命令；/help 列出所有命令",
        "leave": "再按一次 Ctrl-C，或输入 /quit，就结束会话",
        "go_on": "这个会话上次没有谈完。接着谈吗？[Y/n]",
        "goes_on": "接着谈上次没有谈完的会话；--new 重新开始",
        "commands": "/help 列出命令，/quit 结束。",
        "not_therapy": "这是一个程序，不是治疗。",
        "unsaved": "你说的话不会写入磁盘，除非输入 /save。",
        "practice": "你是咨询师；来访者由语言模型扮演，故事是虚构的。",
        "kept": "每句话都会保存在 {run}（{db}）。",
        "story": "来访者的故事：",
        "nothing_said": "没有说话就结束了。",
        "not_kept": "会话没有保存。",
        "saved_in": "会话保存在 {run}：",
    },
    "en": {
        "me": "You: ",
        "client": "client",
        "undo": "takes back the last exchange",
        "retry": "has the last reply said anew",
        "history": "prints what was said",
        "save": "keeps the session: /save, or /save NAME",
        "quit": "ends the session; so does Ctrl-D",
        "help": "lists these",
        "unknown": "there is no command {name}; /help lists them",
        "leave": "Ctrl-C again, or /quit, ends the session",
        "go_on": "This session was not finished. Go on with it? [Y/n]",
        "goes_on": "going on with the unfinished session; --new begins anew",
        "commands": "/help lists the commands, /quit ends the session.",
        "not_therapy": "This is a program, not therapy.",
        "unsaved": "Nothing that you say is written to the disk, unless you say /save.",
        "practice": "You are the counselor; a language model plays the client, and the story is fiction.",
        "kept": "Every turn is kept in {run} ({db}).",
        "story": "The client's story: ",
        "nothing_said": "Nothing was said.",
        "not_kept": "The session was not kept.",
        "saved_in": "The session is kept in {run}:",
    },
}

EVENTS: Mapping[Language, Mapping[str, str]] = {
    "zh": {
        "taken_back": "（最后一个来回已收回）",
        "nothing_to_take_back": "（还没有可以收回的来回）",
        "again": "（重新回复）",
        "nothing_to_ask_again": "（还没有可以重说的回复）",
        "cut": "（打断了，你刚才那句话也收回了：/retry 原样再说一次，或者换一句说）",
        "failed": "（没有得到回复：{detail}\n  你刚才那句话收回了：/retry 原样再说一次，或者换一句说）",
        "will_save": "（从第一句话起保存在 {detail}）",
        "saved": "（已保存在 {detail}，之后的每句话也会保存）",
        "saved_already": "（会话已经保存在 {detail}，每句话都会保存）",
        "not_saved": "（没有保存：{detail}）",
    },
    "en": {
        "taken_back": "(the last exchange is taken back)",
        "nothing_to_take_back": "(there is no exchange to take back yet)",
        "again": "(another reply)",
        "nothing_to_ask_again": "(there is no reply to ask for anew yet)",
        "cut": "(cut short, and your last words with it: /retry says them again, or say something else)",
        "failed": "(no reply: {detail}\n  your last words are taken back: /retry says them again, or say something else)",
        "will_save": "(kept in {detail} from the first words on)",
        "saved": "(kept in {detail}, and every turn to come with it)",
        "saved_already": "(the session is kept in {detail} already, every turn of it)",
        "not_saved": "(not kept: {detail})",
    },
}
"""By the values of `practicum.build.chat.Event`."""

ENDINGS: Mapping[Language, Mapping[Ending, str]] = {
    "zh": {
        Ending.CLOSED: "会话结束（双方已道别），共 {count} 个来回。",
        Ending.COUNSELOR_CLOSED: "会话结束，共 {count} 个来回。",
        Ending.CLIENT_LEFT: "会话结束，共 {count} 个来回。",
        Ending.TURN_LIMIT: "会话结束（到了次数上限），共 {count} 个来回。",
        Ending.SAFETY_STOP: "会话结束（话中涉及风险），共 {count} 个来回。",
    },
    "en": {
        Ending.CLOSED: "The session is over (both said goodbye) after {exchanges}.",
        Ending.COUNSELOR_CLOSED: "The session is over after {exchanges}.",
        Ending.CLIENT_LEFT: "The session is over after {exchanges}.",
        Ending.TURN_LIMIT: "The session is over (it may not be longer) after {exchanges}.",
        Ending.SAFETY_STOP: "The session is over (the words spoke of risk) after {exchanges}.",
    },
}
"""{count}, {exchanges}: how many exchanges there were."""
