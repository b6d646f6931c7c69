#!/usr/bin/env python3
"""Peak memory and time to the first token of `prwkv generate`, as a table.

    bench/memory.py files   [--shapes rwkv7:0.4b,rwkv7:1.5b] [--dtypes f32,f16,bf16,q8_0,q4_k]
    bench/memory.py prompts [--short 1000] [--long 100000]
    bench/memory.py convert [--shapes rwkv7:1.5b] [--rounds 3]

`files`: peak resident memory as a multiple of the weight file (limit 1.10), for a prompt of 4 tokens and for one of about
1000, and the time from start to the first token
when the file is in the page cache (median of three), beside the time that as much new memory takes to be written once:
a virtual machine may have to ask its host for it. Block types are files in GGUF. `prompts`: peak memory of a long prompt next to a short
one (limit 1.05), for every generation on a small random model. `convert`: an f16 safetensors file to an f16 GGUF, in turn
with `cp` of the same file (limit: half its speed), and peak memory beyond the mapped files (limit 300 MB). Peak memory is what the kernel reports for the finished process (ru_maxrss); pages of
the mapped weight file count. Exit code 1 if a limit is broken.
"""
import argparse
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PRWKV = os.environ.get("PRWKV_BIN", str(ROOT / "build/release/prwkv"))
PLAIN = ["f32", "f16", "bf16"]
SMALL = "L4,C256,F896,V65536"
GENERATIONS = ["rwkv4", "rwkv4a", "rwkv5.0", "rwkv5.1", "rwkv5.2", "rwkv6", "rwkv7"]  # heads of 64 where there are heads


def run(arguments: list[str]) -> tuple[int, float, float]:
    """Runs prwkv; returns (peak resident bytes, seconds, seconds to the first byte of output)."""
    start = time.monotonic()
    process = subprocess.Popen([PRWKV, *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert process.stdout is not None
    process.stdout.read(1)
    first = time.monotonic() - start
    process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{PRWKV} {' '.join(arguments)}: exit code {process.returncode}")
    return usage.ru_maxrss * 1024, time.monotonic() - start, first


def new_memory(size: int) -> float:
    """Seconds that writing once to `size` bytes of new memory takes, in huge pages where the system has them."""
    script = f"""import mmap, time
start = time.monotonic()
memory = mmap.mmap(-1, {size}, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
if hasattr(mmap, "MADV_HUGEPAGE"): memory.madvise(mmap.MADV_HUGEPAGE)
for at in range(0, {size}, 4096): memory[at] = 1
print(time.monotonic() - start)"""
    # In a process of its own: a child's ru_maxrss begins with its parent's.
    return float(subprocess.run([sys.executable, "-c", script], check=True, stdout=subprocess.PIPE).stdout)


def make(shape: str, dtype: str, folder: str) -> str:
    path = os.path.join(folder, f"{shape.replace(':', '-').replace(',', '-')}-{dtype}.safetensors")
    plain = dtype if dtype in PLAIN else "f16"
    subprocess.run([PRWKV, "make-random", shape, path, "--dtype", plain], check=True, stderr=subprocess.DEVNULL)
    if dtype in PLAIN:
        return path
    quantized = os.path.join(folder, "quantized.gguf")
    subprocess.run([PRWKV, "convert", path, quantized, "--dtype", dtype], check=True, stderr=subprocess.DEVNULL)
    os.unlink(path)
    return quantized


def files(shapes: list[str], dtypes: list[str], folder: str) -> bool:
    print("| model | file MB | peak MB | peak / file | with a long prompt | first token s | new memory alone s |\n"
          "|---|---|---|---|---|---|---|")
    good = True
    text = os.path.join(folder, "prompt.txt")  # about 1000 tokens, many of them different
    pathlib.Path(text).write_bytes((ROOT / "docs/tour.md").read_bytes()[:4500])
    for shape in shapes:
        for dtype in dtypes:
            path = make(shape, dtype, folder)
            size = os.path.getsize(path)
            with open(path, "rb") as f:  # into the page cache
                while f.read(1 << 24):
                    pass
            peaks, firsts, floors = [], [], []
            for _ in range(3):
                floors.append(new_memory(size))
                peak, _, first = run(["generate", path, "-p", "Once upon a time", "-n", "16", "--ignore-eot"])
                peaks.append(peak)
                firsts.append(first)
            long, _, _ = run(["generate", path, "--prompt-file", text, "-n", "16", "--ignore-eot"])
            good = good and max(*peaks, long) <= 1.10 * size
            print(f"| {shape} {dtype} | {size / 1e6:.0f} | {max(peaks) / 1e6:.0f} | {max(peaks) / size:.3f} "
                  f"| {long / size:.3f} | {statistics.median(firsts):.2f} | {statistics.median(floors):.2f} |", flush=True)
            os.unlink(path)
    return good


def prompts(short: int, long: int, folder: str) -> bool:
    print(f"| generation | peak MB, {short} tokens | peak MB, {long} tokens | ratio |\n|---|---|---|---|")
    good = True
    for generation in GENERATIONS:
        path = make(f"{generation}:{SMALL}", "f16", folder)
        peaks = []
        for tokens in (short, long):
            prompt = os.path.join(folder, "prompt.txt")
            with open(prompt, "w", encoding="ascii") as f:
                f.write("a\x01" * (tokens // 2))  # no two bytes of it make one token of the World vocabulary
            peaks.append(run(["generate", path, "--prompt-file", prompt, "-n", "1", "--ignore-eot"])[0])
        good = good and peaks[1] <= 1.05 * peaks[0]
        print(f"| {generation} | {peaks[0] / 1e6:.1f} | {peaks[1] / 1e6:.1f} | {peaks[1] / peaks[0]:.3f} |", flush=True)
        os.unlink(path)
    return good


def anonymous_peak(arguments: list[str]) -> tuple[int, float]:
    """Runs a command; returns (the most memory that is no mapped file, in bytes, as seen every 10 ms; seconds)."""
    start, peak = time.monotonic(), 0
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None:
        try:
            status = pathlib.Path(f"/proc/{process.pid}/status").read_text(encoding="ascii").splitlines()
        except OSError:
            break
        peak = max(peak, sum(int(line.split()[1]) * 1024 for line in status if line.startswith(("RssAnon", "RssShmem"))))
        time.sleep(0.01)
    if process.wait() != 0:
        sys.exit(f"{' '.join(arguments)}: exit code {process.returncode}")
    return peak, time.monotonic() - start


def convert(shapes: list[str], rounds: int, folder: str) -> bool:
    print("| model | file MB | cp MB/s | convert MB/s | ratio | peak beyond mapped files MB |\n|---|---|---|---|---|---|")
    good = True
    for shape in shapes:
        source, out = make(shape, "f16", folder), os.path.join(folder, "out.gguf")
        size = os.path.getsize(source)
        copied, converted, peaks = [], [], []
        for _ in range(rounds):
            for command, seconds in ((["cp", source, out], copied), ([PRWKV, "convert", source, out], converted)):
                os.sync()  # nobody pays for what the other one left to be written
                peak, taken = anonymous_peak(command)
                seconds.append(taken)
                os.unlink(out)
            peaks.append(peak)
        cp, ours = statistics.median(copied), statistics.median(converted)
        good = good and ours <= 2 * cp and max(peaks) <= 300e6
        print(f"| {shape} f16 | {size / 1e6:.0f} | {size / cp / 1e6:.0f} | {size / ours / 1e6:.0f} | {cp / ours:.2f} "
              f"| {max(peaks) / 1e6:.0f} |", flush=True)
        os.unlink(source)
    return good


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["files", "prompts", "convert"])
    parser.add_argument("--shapes", help="default: rwkv7:0.4b,rwkv7:1.5b; the second alone for convert")
    parser.add_argument("--dtypes", default="f32,f16,bf16,q8_0,q4_k")
    parser.add_argument("--short", type=int, default=1000)
    parser.add_argument("--long", type=int, default=100000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT / "build") as folder:
        if options.what == "files":
            good = files((options.shapes or "rwkv7:0.4b,rwkv7:1.5b").split(","), options.dtypes.split(","), folder)
        elif options.what == "convert":
            good = convert((options.shapes or "rwkv7:1.5b").split(","), options.rounds, folder)
        else:
            good = prompts(options.short, options.long, folder)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
