"""One lane of a bench in one process: peers.py PEER FILE TIMES [MORE]; prints CPU seconds and what was found.

feedparser, fastfeedparser    read the feed in FILE so many times; entries of one reading
pyahocorasick, flashtext      hear each line of FILE so many times by the terms in MORE (one a line, folded); hits
"""
import sys
import time


def feed(parse, file, times):
    text = open(file, "rb").read()
    start = time.process_time()
    for _ in range(times):
        found = parse(text)
    return time.process_time() - start, len(found.entries)


def heard(count, file, times):
    lines = open(file, encoding="utf-8").read().split("\n")
    start = time.process_time()
    for _ in range(times):
        hits = sum(map(count, lines))
    return time.process_time() - start, hits


def automaton(terms):
    import ahocorasick

    machine = ahocorasick.Automaton()
    for term in terms:
        machine.add_word(term, term)
    machine.make_automaton()

    def bound(line, at):
        return at < 0 or at >= len(line) or not line[at].isalnum()

    def count(line):
        line = line.lower()
        found = machine.iter(line)
        return sum(1 for end, term in found if bound(line, end + 1) and bound(line, end - len(term)))

    return count


def keywords(terms):
    from flashtext import KeywordProcessor

    machine = KeywordProcessor()
    machine.add_keywords_from_list(terms)
    for letter in "åäöéüÅÄÖÉÜ":
        machine.add_non_word_boundary(letter)
    return lambda line: len(machine.extract_keywords(line))


def main(peer, file, times, more=None):
    times = int(times)
    if peer == "feedparser":
        import feedparser

        return feed(feedparser.parse, file, times)
    if peer == "fastfeedparser":
        import fastfeedparser

        return feed(fastfeedparser.parse, file, times)
    terms = open(more, encoding="utf-8").read().split("\n")
    return heard({"pyahocorasick": automaton, "flashtext": keywords}[peer](terms), file, times)


if __name__ == "__main__":
    print(*main(*sys.argv[1:]))
