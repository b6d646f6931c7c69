#!/usr/bin/env python3
"""`prwkv chat` from outside: at a terminal of its own, with keys, signals and changes of size, and from pipes.

Usage: chat_test.py PRWKV [unittest arguments]; without PRWKV, $PRWKV_BIN or build/release/prwkv is used.
Needs nothing but the standard library.

What arrived at the model is compared by saved sessions, byte by byte: they depend on every token that was read, as the
answers of small random models hardly do.
"""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import stat
import struct
import subprocess
import sys
import termios
import time
import unittest
from collections.abc import Callable
from pathlib import Path

import cli_test
from cli_test import FILE, INTERRUPTED, MISMATCH, OK, TIMEOUT_S, USAGE

PATIENCE_S = 30
FIELDS = ["text", "thoughts", "end", "prompt_tokens", "tokens", "tokens_seen"]
FOREVER = 10**9
GREEDY = ["--temperature", 0]
UP, LEFT, BACKSPACE, CTRL_C, CTRL_D, CTRL_Z = "\x1b[A", "\x1b[D", "\x7f", "\x03", "\x04", "\x1a"
END_OF_LINE = b"\r\n"  # as a terminal has it


class Terminal:
    """A chat that sits at a terminal, and the hands and eyes in front of it."""

    def __init__(self, arguments: list[str], folder: Path, variables: dict[str, str]) -> None:
        self.seen = b""  # and not asked for yet
        self._code: int | None = None
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                self._set_size(0, 24, 80)
                os.chdir(folder)
                os.execve(arguments[0], arguments, variables)
            finally:
                os._exit(127)

    @staticmethod
    def _set_size(fd: int, rows: int, columns: int) -> None:
        fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def resize(self, rows: int, columns: int) -> None:
        """The kernel tells the program by SIGWINCH."""
        self._set_size(self._master, rows, columns)

    def type(self, keys: str | bytes) -> None:
        """Presses keys, reading meanwhile: what is echoed must not block the program."""
        rest = keys.encode() if isinstance(keys, str) else keys
        deadline = time.monotonic() + PATIENCE_S
        while rest:
            readable, writable, _ = select.select([self._master], [self._master], [], deadline - time.monotonic())
            if readable:
                self._read()
            if writable:
                rest = rest[os.write(self._master, rest[:512]) :]
            elif not readable:
                raise AssertionError(f"the keys {rest!r} were not taken")

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 1 << 16)
        except OSError:  # EIO: nobody has the terminal open any more
            data = b""
        self.seen += data
        return data != b""

    def expect(self, pattern: bytes, patience_s: float = PATIENCE_S) -> re.Match[bytes]:
        """Waits for this to appear, and takes everything up to its end away."""
        deadline = time.monotonic() + patience_s
        while not (match := re.search(pattern, self.seen)):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._master], [], [], left)[0]:
                raise AssertionError(f"waited for {pattern!r}, there is {self.seen[-2000:]!r}")
            if not self._read():
                raise AssertionError(f"waited for {pattern!r}, it ended ({self.end()}) with {self.seen[-2000:]!r}")
        self.seen = self.seen[match.end() :]
        return match

    def echo(self, text: str) -> None:
        """Types a piece of a line, and waits until it is there."""
        self.type(text)
        self.expect(re.escape(text.encode()))
        self.wait_for_keys()

    def prompt(self, prompt: str = "> ") -> bytes:
        """What comes before the next prompt."""
        match = self.expect(rb"\A(?s:(.*\n|))" + re.escape(prompt.encode()) + rb"\Z")
        self.wait_for_keys()
        return match[1]

    def wait_for_keys(self) -> None:
        """Until the program reads keys: a person is not as fast as a test. Two of Signals' tests are."""
        deadline = time.monotonic() + PATIENCE_S
        while self.is_cooked() or self._status()[0] != "S":
            if self._status()[0] == "Z":
                raise AssertionError(f"it ended ({self.end()}) with {self.seen[-2000:]!r}")
            if time.monotonic() > deadline:
                raise AssertionError("the program does not wait for keys")
            time.sleep(0.001)

    def command(self, line: str) -> str:
        """What a command prints."""
        self.type(line + "\r")
        echo, _, said = self.prompt().partition(END_OF_LINE)
        if echo != line.encode():
            raise AssertionError(f"typed {line!r}, there is {echo!r}")
        return said.decode().replace("\r\n", "\n")

    def answer(self) -> dict:
        """The next answer, a JSON object on a line of its own but for an echo; then the prompt is there again."""
        found = self.expect(rb'(?:\A|\n)(?:\^C|\x1b\[\d?m)*(\{"text":[^\r\n]*\})\r\n')
        self.prompt()
        return json.loads(found[1])

    def ask(self, text: str) -> dict:
        """The answer to a line."""
        self.type(text + "\r")
        return self.answer()

    def wait_busy(self, seconds: float) -> None:
        """Until the program has computed that long since now."""
        deadline = time.monotonic() + PATIENCE_S
        until = self._computed() + seconds
        while self._computed() < until:
            if time.monotonic() > deadline:
                raise AssertionError("the program does not compute")
            time.sleep(0.01)

    def _computed(self) -> float:
        fields = self._status()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def _status(self) -> list[str]:
        """Of proc(5), from the state on."""
        return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()

    def resident_kib(self) -> int:
        """Memory of the program."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        return int(re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)[1])  # type: ignore[index]

    def kill(self, number: int) -> None:
        """Sends a signal to the program alone."""
        os.kill(self.pid, number)

    def end(self, patience_s: float = PATIENCE_S) -> int:
        """Its exit code, minus the signal that killed it; what it said last is in `seen`."""
        deadline = time.monotonic() + patience_s
        while self._code is None:
            if self._master >= 0 and select.select([self._master], [], [], 0.01)[0] and self._read():
                continue
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid == self.pid:
                self._code = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise AssertionError(f"it does not end; there is {self.seen[-2000:]!r}")
            elif self._master < 0:
                time.sleep(0.01)
        while self._master >= 0 and select.select([self._master], [], [], 0)[0] and self._read():
            pass
        return self._code

    def leave(self) -> int:
        """Ctrl-D on an empty line, and the exit code."""
        self.type(CTRL_D)
        return self.end()

    def is_cooked(self) -> bool:
        """Whether the terminal was left as a shell wants it."""
        flags = termios.tcgetattr(self._master)[3]
        return flags & termios.ICANON != 0 and flags & termios.ECHO != 0 and flags & termios.ISIG != 0

    def close(self) -> None:
        """Closes the window."""
        if self._master >= 0:
            os.close(self._master)
        self._master = -1

    def clean_up(self) -> None:
        """Nothing stays, whatever became of the test."""
        self.close()
        if self._code is None:
            self.kill(signal.SIGKILL)
            self.end()


class ChatTest(cli_test.CliTest):
    """Chats with a random model that speaks bytes: a message of n bytes is 18 + n tokens, "User: ", "Assistant:" and a
    blank line between them included.
    """

    model: Path
    home: Path

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.model = cls.make_model()

    def setUp(self) -> None:
        self.home = self.folder / self.id()
        self.home.mkdir()
        self.history = self.home / "state/prwkv/chat_history"

    def arguments(self, *args: object, model: Path | None = None, tokens: int = 5) -> list[object]:
        """One thread, since a busy machine makes more of them wait for each other."""
        return ["chat", model or self.model, "--threads", 1, "-n", tokens, *args]

    def terminal(self, *args: object, model: Path | None = None, tokens: int = 5, variables: dict[str, str] | None = None,
                 before: list[str] | None = None) -> Terminal:
        """A chat at a terminal, without a locale but for `variables`; `before`: a program that starts it."""
        environment = {k: v for k, v in os.environ.items() if k != "LANG" and not k.startswith("LC_")}
        environment |= {"TERM": "xterm", "HOME": str(self.home), "XDG_STATE_HOME": str(self.home / "state")}
        words = [*(before or []), str(cli_test.BINARY), *map(str, self.arguments(*args, model=model, tokens=tokens))]
        terminal = Terminal(words, self.folder, environment | (variables or {}))
        self.addCleanup(terminal.clean_up)
        return terminal

    def greedy(self, *args: object, **options: object) -> Terminal:
        """The same, always with the most likely token, answers as JSON, and already at its prompt."""
        terminal = self.terminal(*GREEDY, "--json", *args, **options)  # type: ignore[arg-type]
        terminal.prompt()
        return terminal

    def chat(self, *args: object, stdin: bytes = b"", model: Path | None = None, tokens: int = 5) -> list[dict]:
        """Answers of a chat without a terminal."""
        out = self.ok(*self.arguments(*args, "--json", model=model, tokens=tokens), stdin=stdin)
        return [json.loads(line) for line in out.decode().splitlines()]

    def reference(self, text: str, *args: object, **options: object) -> tuple[dict, bytes]:
        """The greedy answer to a text that came as an argument, and the session afterwards."""
        file = self.home / "reference"
        answer, = self.chat("-p", text, *GREEDY, "--state-out", file, *args, **options)  # type: ignore[arg-type]
        return answer, file.read_bytes()

    def saved(self, terminal: Terminal) -> bytes:
        """The session as it is now."""
        self.assertEqual(terminal.command("/save now.session"), "(saved)\n")
        return (self.folder / "now.session").read_bytes()

    def assert_reads(self, keys: str | bytes, text: str, terminal: Terminal | None = None) -> None:
        """What is typed into a new conversation must reach the model as `text`."""
        expected, session = self.reference(text)
        terminal = terminal or self.greedy()
        terminal.type(keys)
        self.assertEqual(terminal.answer(), expected)
        self.assertEqual(self.saved(terminal), session)
        self.assertNotEqual(self.reference(text + "!")[1], session)  # what is compared can be unequal


class Conversation(ChatTest):
    """Messages and answers at a terminal."""

    def test_a_message_is_answered(self) -> None:
        terminal = self.terminal(*GREEDY, tokens=40)
        self.assertEqual(terminal.prompt(),
                         b"/help lists the commands; Ctrl-D ends. Form of the conversation: world\r\n")
        answers = []
        for message in ["hello", "and now?"]:
            terminal.type(message + "\r")
            answers.append(terminal.prompt())
        out = self.ok(*self.arguments(*GREEDY, tokens=40), stdin=b"hello\nand now?\n")
        shown = b"".join(a.partition(b"\r\n")[2].replace(b"(cut after 40 tokens; /set max-tokens N)\r\n", b"")
                         for a in answers)
        self.assertEqual(shown.replace(b"\r\n", b"\n"), out)
        self.assertGreater(len(out), 60)
        for message, answer in zip([b"hello", b"and now?"], answers, strict=True):
            self.assertTrue(answer.startswith(message + b"\r\n"), answer)
            self.assertIn(b"(cut after 40 tokens; /set max-tokens N)\r\n", answer)
        self.assertEqual(terminal.leave(), OK)
        self.assertTrue(terminal.is_cooked())

    def test_numbers_of_a_conversation(self) -> None:
        terminal = self.greedy()
        first, second = terminal.ask("hello"), terminal.ask("and now?")
        self.assertEqual((first["prompt_tokens"], first["tokens"], first["end"]), (23, 5, "length"))
        self.assertEqual((second["prompt_tokens"], second["tokens"]), (26, 5))
        self.assertEqual(first["tokens_seen"], 23 + 5 + 2)  # and the blank line behind the answer
        self.assertEqual(second["tokens_seen"], first["tokens_seen"] + 26 + 5 + 2)
        self.assertEqual(terminal.leave(), OK)

    def test_quiet_is_without_remarks(self) -> None:
        terminal = self.terminal(*GREEDY, "--json", "-q")
        self.assertEqual(terminal.prompt(), b"")
        terminal.type("hi\r")
        self.assertRegex(terminal.prompt(), rb'\Ahi\r\n\{"text":[^\n]*\}\r\n\Z')
        self.assertEqual(terminal.command("/set seed 1"), "")
        self.assertEqual(terminal.leave(), OK)

    def test_the_form_is_chosen_by_the_models_name(self) -> None:
        for name, form in [("rwkv7-g1a-0.4b.safetensors", "g1"), ("RWKV-4-Raven.safetensors", "raven")]:
            model = self.home / name
            model.symlink_to(self.model)
            terminal = self.terminal(model=model)
            self.assertIn(f"Form of the conversation: {form}\r\n".encode(), terminal.prompt())
            self.assertEqual(terminal.leave(), OK)

    def test_lines_typed_ahead(self) -> None:
        terminal = self.greedy()
        terminal.type("one\rthree\r")
        answers = []
        for _ in range(2):
            answers.append(json.loads(terminal.expect(rb'\n(\{"text":[^\r\n]*\})\r\n')[1]))
        self.assertEqual([a["prompt_tokens"] for a in answers], [21, 23])
        terminal.prompt()
        self.assertEqual(terminal.leave(), OK)

    def test_an_answer_that_ends_by_itself(self) -> None:
        terminal = self.greedy(model=self.make_speaker(10))
        nothing = {"text": "", "thoughts": "", "end": "stop", "prompt_tokens": 20}
        self.assertEqual(terminal.ask("hi"), nothing | {"tokens": 2, "tokens_seen": 22})
        terminal.type("hi\r")
        self.assertNotIn(b"cut", terminal.prompt())
        terminal = self.greedy(model=self.make_speaker(0))  # end-of-text
        self.assertEqual(terminal.ask("hi"), nothing | {"tokens": 0, "tokens_seen": 22})

    def test_memory_stays_constant(self) -> None:
        terminal = self.terminal("--seed", 1, "--json", tokens=40)
        terminal.prompt()
        seen, at_first, messages = 0, 0, 0
        while seen < 10_000:
            answer = terminal.ask(f"message {messages} of many")
            self.assertGreater(answer["tokens_seen"], seen)
            seen = answer["tokens_seen"]
            messages += 1
            if at_first == 0 and seen >= 1000:
                at_first = terminal.resident_kib()
        self.assertGreater(messages, 100)
        self.assertLess(abs(terminal.resident_kib() - at_first), 4 * 1024)
        self.assertEqual(terminal.leave(), OK)

    def make_speaker(self, byte: int) -> Path:
        """A model that always says this byte: ln_out gives ones, and the head has a row for it."""
        data = bytearray(self.model.read_bytes())
        length, = struct.unpack("<Q", data[:8])
        header = json.loads(data[8 : 8 + length])

        def fill(name: str, values: Callable[[int], float]) -> None:
            begin, end = header[name]["data_offsets"]
            count = (end - begin) // 4
            data[8 + length + begin : 8 + length + end] = struct.pack(f"<{count}f", *map(values, range(count)))

        channels = header["ln_out.weight"]["shape"][0]
        fill("ln_out.weight", lambda i: 0)
        fill("ln_out.bias", lambda i: 1)
        fill("head.weight", lambda i: 1 if i // channels == byte else 0)
        path = self.home / f"speaker-{byte}.safetensors"
        path.write_bytes(data)
        return path


class Commands(ChatTest):
    """What begins with /."""

    def test_help(self) -> None:
        terminal = self.greedy()
        text = terminal.command("/help")
        for command in ["/help", "/reset", "/retry", "/system", "/think", "/set", "/save", "/load", "/quit"]:
            self.assertRegex(text, rf"(?m)^{command} ")
        for word in ['"""', "Ctrl-C", "Ctrl-D", "temperature, top-p, top-k, seed or max-tokens"]:
            self.assertIn(word, text)
        self.assertEqual(terminal.ask("hi"), self.reference("hi")[0])  # it was no message

    def test_quit(self) -> None:
        for command in ["/quit", "/exit"]:
            terminal = self.greedy()
            terminal.type(command + "\r")
            self.assertEqual(terminal.end(), OK)
            self.assertTrue(terminal.is_cooked())

    def test_unknown_commands(self) -> None:
        terminal = self.greedy()
        for line in ["/nonsense", "/nonsense with words", "/Help"]:
            message = terminal.command(line)
            self.assertIn(f"prwkv: there is no command '{line.split()[0]}'\n", message)
            self.assertIn("//", message)
        self.assertIn("there is no command '/'\n", terminal.command("/"))
        self.assertEqual(terminal.ask("hi"), self.reference("hi")[0])
        self.assertEqual(terminal.leave(), OK)

    def test_messages_that_begin_with_a_slash(self) -> None:
        self.assert_reads("//help\r", "/help")
        self.assert_reads("///\r", "//")
        self.assert_reads(" /help\r", "/help")  # a space will do

    def test_reset(self) -> None:
        terminal = self.greedy("--system", "Be brief.")
        terminal.ask("something else")
        self.assertEqual(terminal.command("/reset"), "(forgotten)\n")
        expected, session = self.reference("hi", "--system", "Be brief.")
        self.assertEqual(terminal.ask("hi"), expected)
        self.assertEqual(self.saved(terminal), session)
        terminal.command("/reset")
        self.assertIn("nothing was said yet", terminal.command("/retry"))

    def test_retry_is_the_same_question(self) -> None:
        terminal = self.greedy()
        self.assertIn("prwkv: nothing was said yet that could be answered again\n", terminal.command("/retry"))
        terminal.ask("hello")
        once = terminal.ask("and now?")
        session = self.saved(terminal)
        for _ in range(2):
            self.assertEqual(terminal.ask("/retry"), once)
            self.assertEqual(self.saved(terminal), session)

    def test_retry_draws_anew(self) -> None:
        terminal = self.terminal("--seed", 5, "--json")
        terminal.prompt()
        answers = [terminal.ask(line) for line in ["hello", "/retry", "/retry"]]
        self.assertEqual([a["prompt_tokens"] for a in answers], [23] * 3)
        self.assertEqual([a["tokens_seen"] for a in answers], [30] * 3)
        self.assertEqual(len({a["text"] for a in answers}), 3, answers)

    def test_system(self) -> None:
        plain, plain_session = self.reference("hi")
        expected, session = self.reference("hi", "--system", "Be brief.")
        self.assertEqual(expected["prompt_tokens"], plain["prompt_tokens"] + len("System: Be brief.\n\n"))
        terminal = self.greedy()
        terminal.ask("something else")
        self.assertEqual(terminal.command("/system  Be brief. "), "(a new conversation with this system message)\n")
        self.assertEqual(terminal.ask("hi"), expected)
        self.assertEqual(self.saved(terminal), session)
        self.assertEqual(terminal.command("/system"), "(a new conversation)\n")
        self.assertEqual(terminal.ask("hi"), plain)
        self.assertEqual(self.saved(terminal), plain_session)

    def test_think_is_refused_where_there_is_no_place_for_it(self) -> None:
        terminal = self.greedy("--chat-template", "world")
        self.assertEqual(terminal.command("/think"), "(thinking: off)\n")
        self.assertIn("prwkv: the chat template world has no thoughts\n", terminal.command("/think on"))
        self.assertIn("prwkv: there is no such way to think\n", terminal.command("/think hard"))
        self.assertEqual(terminal.command("/think"), "(thinking: off)\n")
        self.assertEqual(terminal.command("/think off"), "(thinking: off)\n")
        self.assertEqual(terminal.ask("hi"), self.reference("hi")[0])

    def test_think(self) -> None:
        g1 = ["--chat-template", "g1"]
        terminal = self.greedy(*g1)
        self.assertIn("prwkv: there is no such way to think\n", terminal.command("/think hard"))
        more = {"off": "", "fake": " <think>\n</think", "on": " <think", "a-bit": " (think a bit) <think",
                "a-lot": " (think a lot) <think"}
        for mode, text in more.items():
            with self.subTest(mode=mode):
                expected, session = self.reference("hi", *g1, "--think", mode)
                terminal.command("/reset")
                self.assertEqual(terminal.command(f"/think {mode}"), f"(thinking: {mode})\n")
                answer = terminal.ask("hi")
                self.assertEqual(answer, expected)
                self.assertEqual(answer["prompt_tokens"], 20 + len(text))
                self.assertEqual(self.saved(terminal), session)
        self.assertTrue(self.reference("hi", *g1, "--think", "fake")[0]["thoughts"])

    def test_thoughts_as_json_have_no_colours(self) -> None:
        terminal = self.greedy("--chat-template", "g1", "--think", "on")
        terminal.type("hi\r")
        self.assertNotIn(b"\x1b", terminal.prompt())

    def test_thoughts_are_dim(self) -> None:
        terminal = self.terminal("--chat-template", "g1", "--think", "fake", *GREEDY)
        terminal.prompt()
        terminal.type("hi\r")
        shown = terminal.prompt()
        self.assertTrue(shown.startswith(b"hi\r\n\x1b[2m<think>\r\n</think"), shown)
        self.assertIn(b"\x1b[0m\r\n(cut after 5 tokens", shown)
        terminal.command("/think off")
        terminal.type("hi\r")
        self.assertNotIn(b"\x1b", terminal.prompt())

    def test_set(self) -> None:
        greedy = self.reference("hi")[0]
        drawn, = self.chat("-p", "hi", "--seed", 9)
        self.assertNotEqual(drawn["text"], greedy["text"])
        terminal = self.terminal("--seed", 3, "--json")
        terminal.prompt()
        self.assertEqual(terminal.command("/set seed 9"), "(seed is 9)\n")
        self.assertEqual(terminal.ask("hi"), drawn)
        for change, back in [("temperature 0", "temperature 1"), ("top-k 1", "top-k 0"), ("top-p 0", "top-p 0.85")]:
            terminal.command("/reset")
            self.assertEqual(terminal.command(f"/set {change}"), f"({change.replace(' ', ' is ')})\n")
            self.assertEqual(terminal.ask("hi"), greedy, change)
            terminal.command("/reset")
            terminal.command(f"/set {back}")
            self.assertNotEqual(terminal.ask("hi")["text"], greedy["text"], back)
        self.assertEqual(terminal.command("/set max-tokens=3"), "(max-tokens is 3)\n")
        self.assertEqual(terminal.ask("hi")["tokens"], 3)

    def test_set_refuses(self) -> None:
        terminal = self.greedy()
        for value in ["temperature -1", "temperature 101", "temperature nan", "temperature inf", "temperature x",
                      "temperature", "temperature 1x", "top-p 1.5", "top-p -0.1", "top-k -1", "top-k 1.5",
                      "top-k 99999999999", "seed -1", "seed 18446744073709551616", "seed x", "seed 1 2",
                      "max-tokens 0", "max-tokens -1", "max-tokens many", "max-tokens"]:
            name, _, found = value.partition(" ")
            message = terminal.command(f"/set {value}")
            self.assertIn(f"prwkv: /set '{name}': no value for it\n  expected  a number from ", message)
            self.assertIn(f"  found     '{found}'\n", message)
        for value in ["", "nonsense 1", "tokens", "Temperature 1"]:
            message = terminal.command(f"/set {value}")
            self.assertTrue(message.startswith(f"prwkv: /set: there is no '{value.partition(' ')[0]}'\n"), message)
            self.assertIn("temperature, top-p, top-k, seed or max-tokens", message)
        expected, session = self.reference("hi")
        self.assertEqual(terminal.ask("hi"), expected)
        self.assertEqual(self.saved(terminal), session)

    def test_save_and_load(self) -> None:
        first = self.terminal("--seed", 7, "--json", tokens=20)
        first.prompt()
        first.ask("hello")
        self.assertEqual(first.command("/save kept.session"), "(saved)\n")
        going_on = [first.ask("and now?"), first.ask("and then?")]
        session = self.saved(first)
        loaded = "(the conversation goes on from there)\n"
        self.assertEqual(first.command("/load kept.session"), loaded)
        self.assertEqual([first.ask("and now?"), first.ask("and then?")], going_on)
        second = self.terminal("--seed", 8, "--json", tokens=20)
        second.prompt()
        second.ask("something else")
        self.assertEqual(second.command("/load kept.session"), loaded)
        self.assertIn("nothing was said yet", second.command("/retry"))
        self.assertEqual([second.ask("and now?"), second.ask("and then?")], going_on)
        self.assertEqual(self.saved(second), session)
        self.assertEqual(self.chat("--state-in", "kept.session", stdin=b"and now?\nand then?\n", tokens=20), going_on)
        self.assertNotEqual(self.chat("--state-in", "now.session", stdin=b"and now?\nand then?\n", tokens=20), going_on)

    def test_what_cannot_be_saved_or_loaded(self) -> None:
        self.reference("hi", model=self.make_model(seed=1))
        (self.home / "reference").rename(self.folder / "other.session")
        (self.folder / "noise.session").write_bytes(b"no session at all")
        terminal = self.greedy()
        terminal.ask("hello")
        before = self.saved(terminal)
        for line, words in [("/save", "no file was named"), ("/load", "no file was named"), ("/save no/x", "no/x"),
                            ("/load missing", "missing: cannot be opened"), ("/load noise.session", "noise.session"),
                            ("/load other.session", "other weights"), ("/save .", "")]:
            message = terminal.command(line)
            self.assertTrue(message.startswith("prwkv: "), f"{line}\n{message}")
            self.assertIn(words, message)
        self.assertEqual(self.saved(terminal), before)
        self.assertEqual(terminal.ask("/retry")["prompt_tokens"], 23)
        self.assertEqual(terminal.leave(), OK)
        terminal = self.greedy("--any-weights")
        self.assertEqual(terminal.command("/load other.session"), "(the conversation goes on from there)\n")


class Editing(ChatTest):
    """Keys, history, several lines, UTF-8."""

    def test_keys(self) -> None:
        self.assert_reads(f"acb{LEFT}{BACKSPACE}dd\r", "addb")
        self.assert_reads("world\x01hello \x05!\r", "hello world!")  # Ctrl-A, Ctrl-E
        self.assert_reads("forget this\x15hello there\x17you\r", "hello you")  # Ctrl-U, Ctrl-W

    def test_terminals_of_other_kinds(self) -> None:
        for kind in ["dumb", "", "nonsense", "linux"]:
            self.assert_reads(f"acb{LEFT}{BACKSPACE}dd\r", "addb", self.greedy(variables={"TERM": kind}))

    def test_ctrl_d_ends_on_an_empty_line_only(self) -> None:
        terminal = self.greedy()
        terminal.type("hi" + CTRL_D)
        self.assert_reads("\r", "hi", terminal)
        self.assertEqual(terminal.leave(), OK)

    def test_a_long_line(self) -> None:
        text = "".join(f"{i} and " for i in range(800))
        self.assertGreater(len(text), 5000)
        self.assert_reads(text + "\r", text)

    def test_empty_lines_are_no_messages(self) -> None:
        terminal = self.greedy()
        for line in ["", "   ", "\t"]:
            terminal.type(line + "\r")
            self.assertNotIn(b"{", terminal.prompt())
        self.assert_reads("hi\r", "hi", terminal)

    def test_history(self) -> None:
        terminal = self.greedy()
        texts = ["a", "four", "sevenxx"]
        for text in texts:
            terminal.ask(text)
        self.assertEqual(terminal.ask(UP)["prompt_tokens"], 25)
        self.assertEqual(terminal.ask(UP * 2)["prompt_tokens"], 22)
        self.assertEqual(terminal.ask(f"{UP}{BACKSPACE}")["prompt_tokens"], 21)
        terminal.type("\x12sev")  # Ctrl-R
        terminal.expect(rb"sevenxx")
        terminal.type("\r")
        self.assertEqual(terminal.answer()["prompt_tokens"], 25)

    def test_history_of_the_process_before(self) -> None:
        terminal = self.greedy()
        terminal.ask("héllo")
        terminal.command("/set seed 1")
        terminal.type('"""\r')
        terminal.prompt("... ")
        terminal.type("two\r")
        terminal.prompt("... ")
        terminal.type('lines\r"""\r')
        terminal.answer()
        self.assertEqual(terminal.leave(), OK)
        self.assertEqual(stat.S_IMODE(self.history.stat().st_mode), 0o600)
        self.assertEqual([p.name for p in self.history.parent.iterdir()], [self.history.name])
        self.assert_reads(f"{UP}\r", "two\nlines", self.greedy())
        self.assert_reads(f"{UP * 4}\r", "héllo", self.greedy())  # assert_reads had a command of its own

    def test_history_without_xdg(self) -> None:
        terminal = self.greedy(variables={"XDG_STATE_HOME": ""})
        terminal.ask("hello")
        self.assertEqual(terminal.leave(), OK)
        self.assertTrue((self.home / ".local/state/prwkv/chat_history").is_file())
        self.assertFalse((self.home / "state").exists())

    def test_no_history(self) -> None:
        terminal = self.greedy("--no-history")
        terminal.ask("hello")
        self.assertEqual(terminal.ask(UP)["prompt_tokens"], 23)  # of this run
        self.assertEqual(terminal.leave(), OK)
        self.assertEqual([p for p in self.home.rglob("*") if p.name != "reference"], [])

    def test_a_history_that_cannot_be_read_is_none(self) -> None:
        self.history.parent.mkdir(parents=True)
        self.history.write_bytes(bytes(range(256)) * 10)
        self.assert_reads("hello\r", "hello", self.greedy())
        self.assert_reads(f"{UP * 2}\r", "hello", self.greedy())  # assert_reads had a command of its own

    def test_a_history_that_cannot_be_written_is_none(self) -> None:
        (self.home / "state").write_text("a file where a folder is wanted")
        self.assert_reads("hello\r", "hello", self.greedy())

    def test_blocks(self) -> None:
        terminal = self.greedy()
        for line in ['"""', "one", "", "/two", 'and """ here\\']:
            terminal.type(line + "\r")
            self.assertEqual(terminal.prompt("... "), line.encode() + b"\r\n")
        terminal.type('"""\r')
        expected, session = self.reference('one\n\n/two\nand """ here\\')
        self.assertEqual(terminal.answer(), expected)
        self.assertEqual(self.saved(terminal), session)

    def test_lines_that_go_on(self) -> None:
        terminal = self.greedy()
        for line in ["one\\", "two\\", '"""\\']:
            terminal.type(line + "\r")
            self.assertEqual(terminal.prompt("... "), line.encode() + b"\r\n")
        terminal.type("three\r")
        expected, session = self.reference('one\ntwo\n"""\nthree')
        self.assertEqual(terminal.answer(), expected)
        self.assertEqual(self.saved(terminal), session)

    def test_utf8_in_single_bytes(self) -> None:
        text = "é, ẞ, 日本語, 한국어, 😀 und e\u0301"
        expected, session = self.reference(text)
        self.assertEqual(expected["prompt_tokens"], 18 + len(text.encode()))
        for locale in [{}, {"LANG": "C.UTF-8"}, {"LANG": "C"}, {"LC_ALL": "POSIX"}, {"LANG": "xx_YY.UTF-8"}]:
            with self.subTest(variables=locale):
                terminal = self.greedy(variables=locale)
                for byte in text.encode():
                    terminal.type(bytes([byte]))
                    time.sleep(0.001)
                terminal.type("\r")
                self.assertEqual(terminal.answer(), expected)
                self.assertEqual(self.saved(terminal), session)

    def test_utf8_in_the_world_vocabulary(self) -> None:
        model = self.make_model(sizes="L2,C64")
        texts = ["é", "日本語", "😀"]
        expected = [self.reference(text, model=model, tokens=8)[0] for text in texts]
        self.assertEqual(len({answer["text"] for answer in expected}), 3)  # these depend on what was asked
        terminal = self.greedy(model=model, tokens=8)
        for text, answer in zip(texts, expected, strict=True):
            terminal.command("/reset")
            for byte in text.encode():
                terminal.type(bytes([byte]))
            self.assertEqual(terminal.ask(""), answer)

    def test_whole_characters_are_edited(self) -> None:
        self.assert_reads(f"aé日😀{BACKSPACE}{BACKSPACE}x{LEFT}ü\r", "aéüx")

    def test_bytes_that_are_no_utf8(self) -> None:
        terminal = self.greedy()
        terminal.type(b"\xff\xc3(\xed\xa0\x80\r")
        terminal.prompt()
        terminal.command("/reset")
        self.assert_reads("hi\r", "hi", terminal)


class Signals(ChatTest):
    """Ctrl-C, SIGTERM, a window that changes or goes away."""

    def test_ctrl_c_drops_the_line(self) -> None:
        terminal = self.greedy()
        for _ in range(3):
            terminal.echo("something")
            terminal.type(CTRL_C)
            self.assertEqual(terminal.prompt(), b"\r\n")
        self.assert_reads("hi\r", "hi", terminal)
        self.assertEqual(terminal.leave(), OK)

    def test_ctrl_c_drops_all_lines_of_a_message(self) -> None:
        terminal = self.greedy()
        for first in ['"""\r', "one\\\r"]:
            terminal.type(first)
            terminal.prompt("... ")
            terminal.echo("two")
            terminal.type(CTRL_C)
            terminal.prompt()
        self.assert_reads("hi\r", "hi", terminal)

    def test_ctrl_c_stops_an_answer(self) -> None:
        terminal = self.terminal(*GREEDY, tokens=FOREVER)
        terminal.prompt()
        for _ in range(2):
            terminal.type("hi\r")
            terminal.expect(rb"(?s)\n.{1000}")  # it is shown while it comes
            terminal.type(CTRL_C)
            self.assertTrue(terminal.prompt().endswith(b"\r\n(stopped)\r\n"))
        self.assertEqual(terminal.command("/set max-tokens 5"), "(max-tokens is 5)\n")
        self.saved(terminal)
        terminal.type("hi\r")
        self.assertIn(b"(cut after 5 tokens", terminal.prompt())
        self.assertEqual(terminal.leave(), OK)
        # What had come belongs to the conversation.
        self.assertGreater(self.chat("-p", "hi", "--state-in", "now.session")[0]["tokens_seen"], 600)

    def test_ctrl_c_stops_an_answer_as_json(self) -> None:
        terminal = self.greedy(tokens=FOREVER)
        terminal.type("hi\r")
        terminal.expect(rb"hi\r\n")
        terminal.wait_busy(0.1)
        terminal.type(CTRL_C)
        stopped = terminal.answer()
        self.assertEqual((stopped["end"], stopped["prompt_tokens"]), ("cancelled", 20))
        self.assertGreater(stopped["tokens"], 100)
        terminal.command("/set max-tokens 5")
        going_on = terminal.ask("hello")
        self.assertEqual(going_on["tokens_seen"], stopped["tokens_seen"] + 23 + 5 + 2)
        terminal.command("/reset")
        self.assertEqual(terminal.ask("hi"), self.reference("hi")[0])

    def test_ctrl_c_while_a_message_is_read(self) -> None:
        ref = ["--backend", "ref"]  # slow
        terminal = self.greedy(*ref)
        terminal.ask("hello")
        before = self.saved(terminal)
        terminal.type("x" * 10_000 + "\r")
        terminal.expect(rb"x\r\n\Z")
        terminal.wait_busy(0.2)
        terminal.type(CTRL_C)
        self.assertTrue(terminal.prompt().endswith(b"(not read to the end; the conversation is as it was)\r\n"))
        self.assertEqual(self.saved(terminal), before)
        terminal.command("/reset")
        self.assertEqual(terminal.ask("hi"), self.reference("hi", *ref)[0])

    def test_sigterm_at_the_prompt(self) -> None:
        expected, session = self.reference("hi")
        for number in [signal.SIGTERM, signal.SIGHUP]:
            out = self.home / "out"
            terminal = self.greedy("--state-out", out)
            self.assertEqual(terminal.ask("hi"), expected)
            terminal.echo("something")
            terminal.kill(number)
            self.assertEqual(terminal.end(), INTERRUPTED)
            self.assertTrue(terminal.is_cooked())
            self.assertEqual(out.read_bytes(), session)
            out.unlink()

    def test_keys_right_behind_the_prompt(self) -> None:
        # A prompt that is shown before its keys are wanted gets a Ctrl-D, or a paste of 5000 bytes, wrong.
        terminal = self.greedy()
        for _ in range(200):
            terminal.type("\r")
            terminal.expect(rb"\r\n> ")
            self.assertFalse(terminal.is_cooked(), "there is a prompt, and the terminal is not ready for keys")
            terminal.wait_for_keys()

    def test_sigterm_right_behind_the_prompt(self) -> None:
        # A signal that comes just before the program waits for keys must not be forgotten over them.
        for _ in range(20):
            terminal = self.terminal(*GREEDY)
            terminal.expect(rb"> ")
            terminal.kill(signal.SIGTERM)
            self.assertEqual(terminal.end(5), INTERRUPTED)

    def test_sigterm_during_an_answer(self) -> None:
        out = self.home / "out"
        terminal = self.terminal(*GREEDY, "--state-out", out, tokens=FOREVER)
        terminal.prompt()
        terminal.type("hi\r")
        terminal.expect(rb"(?s)\n.{1000}")
        terminal.kill(signal.SIGTERM)
        self.assertEqual(terminal.end(), INTERRUPTED)
        self.assertGreater(self.chat("-p", "hi", "--state-in", out)[0]["tokens_seen"], 300)

    def test_a_window_that_is_closed(self) -> None:
        expected, session = self.reference("hi")
        out = self.home / "out"
        terminal = self.greedy("--state-out", out)
        self.assertEqual(terminal.ask("hi"), expected)
        terminal.close()
        code = terminal.end()
        self.assertTrue(out.exists(), f"code {code}, and no --state-out")
        self.assertEqual(out.read_bytes(), session)
        self.assertEqual(code, INTERRUPTED)

    def test_a_window_that_is_closed_during_an_answer(self) -> None:
        out = self.home / "out"
        terminal = self.terminal(*GREEDY, "--state-out", out, tokens=FOREVER)
        terminal.prompt()
        terminal.type("hi\r")
        terminal.expect(rb"(?s)\n.{1000}")
        terminal.close()
        code = terminal.end()
        self.assertTrue(out.exists(), f"code {code}, and no --state-out")
        self.assertGreater(self.chat("-p", "hi", "--state-in", out)[0]["tokens_seen"], 300)

    def test_a_signal_is_for_the_chat_alone(self) -> None:
        # Whoever has started it, in its own process group, must live on.
        terminal = self.terminal(*GREEDY, before=["/bin/sh", "-c", '"$@"; echo it ended with $?', "sh"])
        terminal.prompt()
        child, = Path(f"/proc/{terminal.pid}/task/{terminal.pid}/children").read_text().split()
        os.kill(int(child), signal.SIGTERM)
        self.assertEqual(terminal.end(), OK)
        self.assertIn(f"it ended with {INTERRUPTED}".encode(), terminal.seen)

    def test_ctrl_z_without_a_shell_is_no_end(self) -> None:
        terminal = self.greedy()
        terminal.echo("something")
        terminal.type(CTRL_Z)
        time.sleep(0.1)
        self.assert_reads("\x15hi\r", "hi", terminal)

    def test_a_window_that_changes_its_size(self) -> None:
        for rows, columns in [(50, 132), (10, 40), (24, 80)]:
            terminal = self.greedy()
            terminal.echo("the beginning")
            terminal.resize(rows, columns)
            self.assert_reads(" and the end\r", "the beginning and the end", terminal)
            self.assertEqual(terminal.leave(), OK)

    def test_a_window_that_becomes_narrower_than_the_line(self) -> None:
        for sizes in [[(10, 20), (20, 100)], [(24, 60), (3, 60)], [(5, 10), (50, 200), (2, 5), (24, 80)]]:
            with self.subTest(sizes=sizes):
                terminal = self.greedy()
                text = "abcdefghijk" * 20
                terminal.type(text)
                terminal.expect(rb"k\Z")
                for size in sizes:
                    terminal.resize(*size)
                    terminal.echo("l")
                    text += "l"
                terminal.type(f"{BACKSPACE}m")
                self.assert_reads("\r", text[:-1] + "m", terminal)
                self.assertEqual(terminal.leave(), OK)

    def test_a_window_that_changes_during_an_answer(self) -> None:
        terminal = self.terminal(*GREEDY, tokens=FOREVER)
        terminal.prompt()
        terminal.type("hi\r")
        terminal.expect(rb"(?s)\n.{1000}")
        terminal.resize(10, 40)
        terminal.expect(rb"(?s).{1000}")
        terminal.type(CTRL_C)
        self.assertTrue(terminal.prompt().endswith(b"\r\n(stopped)\r\n"))
        terminal.command("/set max-tokens 5")
        terminal.type("hi\r")
        self.assertIn(b"(cut after 5 tokens", terminal.prompt())


class Pipes(ChatTest):
    """Without a terminal."""

    def test_each_line_is_a_message(self) -> None:
        answers = self.chat(*GREEDY, "--state-out", "all", stdin=b"hello\r\n\n  \nand now?")
        self.assertEqual([a["prompt_tokens"] for a in answers], [23, 26])
        first, = self.chat("-p", "hello", *GREEDY, "--state-out", "first")
        second, = self.chat("-p", "and now?", *GREEDY, "--state-in", "first", "--state-out", "second")
        self.assertEqual(answers, [first, second])
        self.assertEqual((self.folder / "all").read_bytes(), (self.folder / "second").read_bytes())

    def test_only_answers_are_printed(self) -> None:
        done = self.run_prwkv(*self.arguments(*GREEDY), stdin=b"hello\n/set max-tokens 3\nhello\n")
        self.assertEqual((done.returncode, done.stderr), (OK, b""))
        for text in [b">", b"hello", b"max-tokens", b"\x1b"]:
            self.assertNotIn(text, done.stdout)
        alone = self.ok(*self.arguments(*GREEDY, "-p", "hello"))
        self.assertTrue(done.stdout.startswith(alone) and alone.endswith(b"\n") and len(done.stdout) > len(alone) + 3)
        self.assertEqual(self.ok(*self.arguments(), stdin=b""), b"")

    def test_messages_of_several_lines(self) -> None:
        text = b"one\ntwo"
        expected, session = self.reference(text.decode())
        for stdin in [b'"""\none\ntwo\n"""\n', b"one\\\ntwo\n", b'"""\none\n\ntwo', b'"""\r\none\r\ntwo\r\n"""\r\n']:
            self.assertEqual(self.chat(*GREEDY, "--state-out", "s", stdin=stdin), [expected], stdin)
            self.assertEqual((self.folder / "s").read_bytes(), session, stdin)

    def test_any_bytes(self) -> None:
        self.assertEqual(self.chat(*GREEDY, stdin=b"a\xff\x00b\n")[0]["prompt_tokens"], 22)
        self.assertEqual(self.chat(*GREEDY, stdin=b"x" * 20_000)[0]["prompt_tokens"], 20_018)

    def test_one_message(self) -> None:
        text = "hello,\nyou"
        (self.folder / "message.txt").write_text(text)
        expected, session = self.reference(text)
        self.assertEqual(list(expected), FIELDS)
        self.assertEqual((expected["prompt_tokens"], expected["tokens"], expected["tokens_seen"]), (28, 5, 35))
        for args, stdin in [(["--prompt-file", "message.txt"], b""), (["-p", "-"], text.encode())]:
            self.assertEqual(self.chat(*args, *GREEDY, "--state-out", "s", stdin=stdin), [expected])
            self.assertEqual((self.folder / "s").read_bytes(), session)
        # A command is none here, and lines on standard input are none of its business.
        self.assertEqual(self.chat("-p", "/help", *GREEDY, stdin=b"you\n")[0]["prompt_tokens"], 23)
        self.assertEqual(self.chat("-p", "", *GREEDY)[0]["prompt_tokens"], 17)

    def test_commands(self) -> None:
        self.assertIn(b"\n/retry ", self.ok(*self.arguments(), stdin=b"/help\n"))
        answers = self.chat(*GREEDY, stdin=b"hello\n/reset\nhello\n/retry\n/save kept\nyou\n/load kept\nyou\n"
                                           b"//quit\n/quit\nno more\n")
        self.assertEqual([a["prompt_tokens"] for a in answers], [23, 23, 23, 21, 21, 23])
        self.assertEqual(answers[0], answers[1])
        self.assertEqual(answers[1], answers[2])
        self.assertEqual(answers[3], answers[4])

    def test_a_mistake_is_the_end(self) -> None:
        for line, words, code in [(b"/nonsense", b"there is no command '/nonsense'", USAGE), (b"/retry", b"nothing was said", USAGE),
                                  (b"/set seed x", b"/set 'seed'", USAGE), (b"/set x 1", b"/set: there is no 'x'", USAGE),
                                  (b"/think on", b"has no thoughts", USAGE), (b"/load missing", b"missing", FILE),
                                  (b"/save no/x", b"no/x", FILE)]:
            done = self.run_prwkv(*self.arguments("--json", *GREEDY), stdin=line + b"\nhello\n")
            self.assertEqual((done.returncode, done.stdout), (code, b""), line)
            self.assertTrue(done.stderr.startswith(b"prwkv: "), done.stderr)
            self.assertIn(words, done.stderr)
        # What was said before is not lost.
        expected, session = self.reference("hello")
        done = self.run_prwkv(*self.arguments("--json", *GREEDY, "--state-out", "s"), stdin=b"hello\n/nonsense\nyou\n")
        self.assertEqual(done.returncode, USAGE)
        self.assertEqual(json.loads(done.stdout), expected)
        self.assertEqual((self.folder / "s").read_bytes(), session)

    def test_refusals(self) -> None:
        self.reference("hi", model=self.make_model(seed=1))
        other = self.home / "reference"
        self.chat("-p", "hi", "--state-out", "own")
        for code, args, words in [
                (USAGE, ["--system", "Be brief.", "--state-in", "own"], "--system or --state-in"),
                (USAGE, ["--chat-template", "llama"], "--chat-template: llama"),
                (USAGE, ["--think", "on"], "no thoughts"),
                (USAGE, ["--think", "hard", "--chat-template", "g1"], "--think: hard"),
                (USAGE, ["-n", "0"], "--max-tokens"),
                (USAGE, ["--prompt-file", "x"], "--prompt-file"),
                (FILE, ["--state-in", "missing"], "missing"),
                (FILE, ["--state-out", "no/folder/x"], "no/folder"),
                (MISMATCH, ["--state-in", other], "other weights")]:
            self.assertIn(words, self.refused(code, *self.arguments(*args, "-p", "hi")))
        self.assertIn("missing.txt", self.refused(FILE, *self.arguments("--prompt-file", "missing.txt")))
        self.chat("-p", "hi", "--state-in", other, "--any-weights")

    def test_sessions_go_on(self) -> None:
        lines = [b"hello\n", b"and now?\n", b"and then?\n"]
        whole = self.chat("--seed", 3, stdin=b"".join(lines), tokens=20)
        self.assertNotEqual(whole, self.chat("--seed", 4, stdin=b"".join(lines), tokens=20))
        parts = self.chat("--seed", 3, "--state-out", "s", stdin=lines[0], tokens=20)
        for line in lines[1:]:
            parts += self.chat("--state-in", "s", "--state-out", "s", stdin=line, tokens=20)
        self.assertEqual(parts, whole)
        self.assertEqual(self.json("generate", self.model, "--state-in", "s", "-n", 1)["tokens_seen"],
                         whole[-1]["tokens_seen"] + 1)

    def test_forms(self) -> None:
        for form, text in [("world", "User: hi\n\nAssistant:"), ("g1", "User: hi\n\nAssistant:"), ("qa", "\nQ: hi\nA:"),
                           ("raven-instruct", "# Instruction:\nhi\n\n# Response:\n"),
                           ("world-qa", "Question: hi\n\nAnswer:"), ("world-instruct", "Instruction: hi\n\nResponse:")]:
            answer, session = self.reference("hi", "--chat-template", form)
            self.assertEqual(answer["prompt_tokens"], len(text), form)
            # The same as text: the greedy continuation is the answer.
            out = self.json("generate", self.model, "--threads", 1, "-p", text, "-n", 5, *GREEDY)
            self.assertEqual(out["text"].strip().rstrip("\ufffd"), answer["text"].rstrip("\ufffd"), form)
        self.assertGreater(self.reference("hi", "--chat-template", "raven")[0]["prompt_tokens"], 100)

    def popen(self, *args: object) -> subprocess.Popen[bytes]:
        """A chat that goes on while the test does something."""
        process = subprocess.Popen([str(cli_test.BINARY), *map(str, self.arguments(*args))], cwd=self.folder,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        for stream in [process.stdin, process.stdout, process.stderr]:
            assert stream is not None
            self.addCleanup(stream.close)
        return process

    def with_a_reader_that_goes_away(self, *args: object) -> None:
        process = self.popen(*GREEDY, "--json", *args)
        assert process.stdin is not None and process.stdout is not None and process.stderr is not None
        process.stdin.write(b"hi\n")
        process.stdin.flush()
        self.assertEqual(json.loads(process.stdout.readline()), self.reference("hi")[0])
        process.stdout.close()
        process.stdin.write(b"and now?\n")
        process.stdin.close()
        self.assertEqual(process.wait(TIMEOUT_S), OK)
        self.assertEqual(process.stderr.read(), b"")

    def test_a_reader_that_goes_away_is_no_error(self) -> None:
        self.with_a_reader_that_goes_away()

    def test_a_reader_that_goes_away_costs_no_session(self) -> None:
        self.with_a_reader_that_goes_away("--state-out", self.home / "out")
        self.assertTrue((self.home / "out").exists(), "--state-out was not written, as prwkv generate does")
        self.assertGreaterEqual(self.chat("-p", "x", "--state-in", self.home / "out")[0]["tokens_seen"], 27 + 26)

    def test_a_full_disk_is_an_error(self) -> None:
        if not Path("/dev/full").exists():
            self.skipTest("there is no /dev/full")
        for args, stdin in [(["-p", "hi"], b""), ([], b"hi\nyou\n")]:
            with open("/dev/full", "wb") as full:
                done = subprocess.run([str(cli_test.BINARY), *map(str, self.arguments(*args))], input=stdin,
                                      stdout=full, stderr=subprocess.PIPE, check=False, timeout=TIMEOUT_S)
            self.assertIn(b"standard output", done.stderr)
            self.assertEqual(done.returncode, FILE, args)

    def test_signals(self) -> None:
        for number in [signal.SIGINT, signal.SIGTERM]:
            process = self.popen(*GREEDY, "--json", "--state-out", "s")
            assert process.stdin is not None and process.stdout is not None and process.stderr is not None
            process.stdin.write(b"hi\n")
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            process.send_signal(number)
            self.assertEqual(process.wait(TIMEOUT_S), INTERRUPTED)
            expected, session = self.reference("hi")
            self.assertEqual((answer, process.stderr.read()), (expected, b""))
            self.assertEqual((self.folder / "s").read_bytes(), session)
            (self.folder / "s").unlink()


if __name__ == "__main__":
    if len(sys.argv) > 1 and not sys.argv[1].startswith("-") and Path(sys.argv[1]).is_file():
        cli_test.BINARY = Path(sys.argv.pop(1)).resolve()
    unittest.main()
