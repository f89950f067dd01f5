"""What an afternoon of Python does: Viterbi in plain lists, the price halved 60 times a target.

python3 viterbi_bisection.py chain.json TARGET_MS     (the file is of lathe search --chain)
"""
import json
import sys
import time


def viterbi(chain, price):
    best = list(chain["error"][0])
    back = []
    for error, latency in zip(chain["error"][1:], chain["latency_ms"]):
        column = []
        choice = []
        for b, own in enumerate(error):
            value, a = min((best[a] + price * row[b], a) for a, row in enumerate(latency))
            column.append(value + own)
            choice.append(a)
        best = column
        back.append(choice)
    path = [best.index(min(best))]
    for choice in reversed(back):
        path.append(choice[path[-1]])
    path.reverse()
    return path


def latency_of(chain, path):
    return sum(t[a][b] for t, a, b in zip(chain["latency_ms"], path, path[1:]))


def search(chain, target_ms):
    low, high = 0.0, 10.0
    for _ in range(60):
        price = (low + high) / 2
        if latency_of(chain, viterbi(chain, price)) > target_ms:
            low = price
        else:
            high = price
    return viterbi(chain, high)


def main():
    with open(sys.argv[1]) as file:
        chain = json.load(file)
    target_ms = float(sys.argv[2])
    start = time.process_time()
    viterbi(chain, 0.01)
    once = time.process_time() - start
    start = time.process_time()
    path = search(chain, target_ms)
    seconds = time.process_time() - start
    error = sum(e[s] for e, s in zip(chain["error"], path))
    print(f"one Viterbi {1e3 * once:.2f} ms; a target {1e3 * seconds:.1f} ms: "
          f"{latency_of(chain, path):.6f} ms, error {error:.6f}")


main()
