"""The catalogue of the seed grammar's operations: on lists of numbers, single numbers, texts and lists of words."""

from ucoder.seed.inputs import INT, NUMBERS, TEXT, WORDS
from ucoder_development.seed_operation import BOOL, Operation, each, keep, step, total

NUMBER_LISTS: tuple[Operation, ...] = (
    each("double", NUMBERS, "double every number|multiply every number by two", "x * 2", "2 * x", "x + x"),
    each("add", NUMBERS, "add $k to every number|increase every number by $k", "x + $k", "$k + x"),
    each("scale", NUMBERS, "multiply every number by $k|scale every number by $k", "x * $k", "$k * x"),
    each("square", NUMBERS, "square every number|replace every number by its square", "x * x", "x ** 2"),
    each("negate", NUMBERS, "flip the sign of every number|negate every number", "-x", "0 - x"),
    each("absolute", NUMBERS, "take the absolute value of every number|drop every minus sign",
         "abs(x)", "max(x, -x)"),
    each("halve", NUMBERS, "halve every number, rounding down|floor half of every number",
         "x // 2", "x >> 1", myth="int(x / 2)"),
    keep("evens", NUMBERS, "keep the even numbers|drop the odd numbers", "x % 2 == 0", "not x % 2"),
    keep("odds", NUMBERS, "keep the odd numbers|drop the even numbers", "x % 2 == 1", "x % 2 != 0", "x % 2"),
    keep("positives", NUMBERS, "keep the positive numbers|drop the numbers that are not positive",
         "x > 0", "0 < x", myth="x >= 0"),
    keep("negatives", NUMBERS, "keep the negative numbers|drop the numbers that are not negative", "x < 0", "0 > x"),
    keep("above", NUMBERS, "keep the numbers greater than $k|drop the numbers up to $k",
         "x > $k", "$k < x", myth="x >= $k"),
    step("ascending", NUMBERS, NUMBERS, "sort the numbers|put the numbers in ascending order",
         "sorted($v)", "sorted(list($v))", "sorted($v, reverse=False)"),
    step("descending", NUMBERS, NUMBERS, "sort the numbers from high to low|put the numbers in descending order",
         "sorted($v, reverse=True)", "sorted($v)[::-1]", "list(reversed(sorted($v)))"),
    step("by_size", NUMBERS, NUMBERS, "sort the numbers by absolute value|order the numbers by distance from zero",
         "sorted($v, key=abs)", "sorted($v, key=lambda x: abs(x))"),
    step("reversed_numbers", NUMBERS, NUMBERS, "reverse the numbers|read the numbers backwards",
         "$v[::-1]", "list(reversed($v))"),
    step("unique", NUMBERS, NUMBERS, "remove duplicate numbers, keeping the first|keep the first of equal numbers",
         "list(dict.fromkeys($v))", "[x for i, x in enumerate($v) if x not in $v[:i]]", myth="sorted(set($v))",
         block="$o = []\nfor x in $v:\n    if x not in $o:\n        $o.append(x)", level=2),
    step("first_numbers", NUMBERS, NUMBERS, "take the first $k numbers|cut the list after $k numbers",
         "$v[:$k]", "$v[0:$k]"),
    step("skip_numbers", NUMBERS, NUMBERS, "skip the first $k numbers|drop $k numbers from the front",
         "$v[$k:]", "[x for i, x in enumerate($v) if i >= $k]"),
    step("last_numbers", NUMBERS, NUMBERS, "take the last $k numbers|keep $k numbers from the end",
         "$v[-$k:]", "$v[::-1][:$k][::-1]"),
    step("alternate", NUMBERS, NUMBERS, "take every second number, starting with the first|skip every second number",
         "$v[::2]", "$v[0::2]", myth="$v[1::2]"),
    step("rotate", NUMBERS, NUMBERS, "move the first number to the end|rotate the numbers left by one",
         "$v[1:] + $v[:1]", "[*$v[1:], *$v[:1]]"),
    step("running", NUMBERS, NUMBERS, "compute the running totals|replace every number by the sum so far",
         "[sum($v[:i + 1]) for i in range(len($v))]", "[sum($v[:i]) for i in range(1, len($v) + 1)]",
         myth="[sum($v[:i]) for i in range(len($v))]",
         block="$o = []\nt = 0\nfor x in $v:\n    t += x\n    $o.append(t)", level=2),
    step("differences", NUMBERS, NUMBERS,
         "take the differences of neighbours|subtract from every number the one before",
         "[b - a for a, b in zip($v, $v[1:])]", "[$v[i + 1] - $v[i] for i in range(len($v) - 1)]",
         myth="[a - b for a, b in zip($v, $v[1:])]", level=2),
    each("as_text", NUMBERS, "write every number as text|turn every number into a string", "str(x)", "f'{x}'",
         target=WORDS),
)  # fmt: skip

TOTALS: tuple[Operation, ...] = (
    total("sum", NUMBERS, "add up the numbers|compute the sum", "x", None, "sum($v)", "sum(x for x in $v)"),
    total("count", NUMBERS, "count the numbers|return how many numbers there are", "1", None,
          "len($v)", "sum(1 for x in $v)"),
    total("sum_of_squares", NUMBERS, "add up the squares|compute the sum of squares", "x * x", None,
          "sum(x * x for x in $v)", "sum(x ** 2 for x in $v)"),
    total("count_even", NUMBERS, "count the even numbers|return how many numbers are even", "1", "x % 2 == 0",
          "sum(x % 2 == 0 for x in $v)", "len([x for x in $v if x % 2 == 0])"),
    step("largest", NUMBERS, INT, "find the largest number, or 0 if empty|take the maximum, 0 if empty",
         "max($v, default=0)", "max($v) if $v else 0", "sorted($v)[-1] if $v else 0"),
    step("smallest", NUMBERS, INT, "find the smallest number, or 0 if empty|take the minimum, 0 if empty",
         "min($v, default=0)", "min($v) if $v else 0", "sorted($v)[0] if $v else 0"),
    step("distinct", NUMBERS, INT, "count the distinct numbers|return how many different numbers there are",
         "len(set($v))", "len({x for x in $v})", "len(dict.fromkeys($v))"),
    step("runner_up", NUMBERS, INT, "find the second largest distinct number, 0 if none|take the runner-up, 0 if none",
         "sorted(set($v))[-2] if len(set($v)) > 1 else 0",
         "sorted(set($v), reverse=True)[1] if len(set($v)) > 1 else 0",
         myth="sorted($v)[-2] if len($v) > 1 else 0", level=2),
    step("alternating", NUMBERS, INT, "compute the alternating sum, starting with plus|add and subtract in turn",
         "sum($v[::2]) - sum($v[1::2])", "sum(-x if i % 2 else x for i, x in enumerate($v))", level=2),
    step("all_positive", NUMBERS, BOOL, "check whether all numbers are positive|tell if every number exceeds zero",
         "all(x > 0 for x in $v)", "not any(x <= 0 for x in $v)", myth="all(x >= 0 for x in $v)"),
    step("rising", NUMBERS, BOOL, "check whether the numbers never decrease|tell if the numbers are in order",
         "$v == sorted($v)", "all(a <= b for a, b in zip($v, $v[1:]))",
         level=2),
    step("contains", NUMBERS, BOOL, "check whether $k is present|tell if $k occurs", "$k in $v", "$v.count($k) > 0",
         "any(x == $k for x in $v)"),
)  # fmt: skip

SINGLE_NUMBERS: tuple[Operation, ...] = (
    step("plus", INT, INT, "add $k|increase it by $k", "$v + $k", "$k + $v"),
    step("times", INT, INT, "multiply it by $k|scale it by $k", "$v * $k", "$k * $v"),
    step("squared", INT, INT, "square it|multiply it by itself", "$v ** 2", "pow($v, 2)"),
    step("remainder", INT, INT, "take it modulo $k|take its remainder by $k", "$v % $k", "divmod($v, $k)[1]"),
    step("half", INT, INT, "halve it, rounding down|floor half of it", "$v // 2", "$v >> 1"),
    step("digit_sum", INT, INT, "sum its digits|add up its digits",
         "sum(int(d) for d in str(abs($v)))", "sum(map(int, str(abs($v))))", level=2),
    step("digits", INT, NUMBERS, "list its digits|split it into digits",
         "[int(d) for d in str(abs($v))]", "list(map(int, str(abs($v))))"),
    step("count_up", INT, NUMBERS, "list the numbers from 1 up to it|count from 1 to it",
         "list(range(1, $v + 1))", "[i + 1 for i in range($v)]", myth="list(range(1, $v))"),
    step("divisors", INT, NUMBERS, "list its positive divisors|find all numbers that divide it",
         "[d for d in range(1, abs($v) + 1) if $v % d == 0]", "[d for d in range(1, abs($v) + 1) if not $v % d]",
         level=2),
    step("even", INT, BOOL, "check whether it is even|tell if two divides it", "$v % 2 == 0", "not $v % 2"),
    step("to_text", INT, TEXT, "write it as text|turn it into a string", "str($v)", "f'{$v}'"),
)  # fmt: skip

TEXTS: tuple[Operation, ...] = (
    step("upper", TEXT, TEXT, "convert the text to upper case|write the text in capitals",
         "$v.upper()", "''.join(c.upper() for c in $v)"),
    step("lower", TEXT, TEXT, "convert the text to lower case|write the text in small letters",
         "$v.lower()", "''.join(c.lower() for c in $v)"),
    step("backwards", TEXT, TEXT, "reverse the text|read the text backwards", "$v[::-1]", "''.join(reversed($v))"),
    keep("no_spaces", TEXT, "remove the spaces|drop every space", "c != ' '", "not c == ' '"),
    step("trim", TEXT, TEXT, "trim the spaces at both ends|strip the outer spaces",
         "$v.strip(' ')", "$v.lstrip(' ').rstrip(' ')", myth="$v.replace(' ', '')"),
    keep("no_vowels", TEXT, "remove the vowels of either case|drop every vowel of either case",
         "c.lower() not in 'aeiou'", "c not in 'aeiouAEIOU'", myth="c not in 'aeiou'"),
    step("first_chars", TEXT, TEXT, "take the first $k characters|cut the text after $k characters",
         "$v[:$k]", "$v[0:$k]"),
    each("stutter", TEXT, "double every character|write every character twice", "c * 2", "c + c"),
    step("sort_chars", TEXT, TEXT, "sort the characters|put the characters in order",
         "''.join(sorted($v))", "''.join(sorted(list($v)))"),
    step("capital", TEXT, TEXT, "make the first character upper case|capitalize only the first character",
         "$v[:1].upper() + $v[1:]", "''.join([$v[:1].upper(), $v[1:]])", myth="$v.capitalize()"),
    step("dashes", TEXT, TEXT, "replace the spaces by dashes|put a dash for every space",
         "$v.replace(' ', '-')", "'-'.join($v.split(' '))", myth="'-'.join($v.split())"),
    step("alternate_chars", TEXT, TEXT,
         "take every second character, starting with the first|skip every second character",
         "$v[::2]", "$v[0::2]"),
    total("length", TEXT, "count the characters|measure the length of the text", "1", None,
          "len($v)", "sum(1 for c in $v)"),
    total("vowels", TEXT, "count the vowels of either case|return how many vowels of either case there are", "1",
          "c.lower() in 'aeiou'", "sum(c.lower() in 'aeiou' for c in $v)",
          "len([c for c in $v if c in 'aeiouAEIOU'])", myth="sum(c in 'aeiou' for c in $v)"),
    total("capitals", TEXT, "count the capitals|return how many capitals there are", "1", "c.isupper()",
          "sum(c.isupper() for c in $v)", "len([c for c in $v if c.isupper()])"),
    step("count_words", TEXT, INT, "count the words|return how many words there are",
         "len($v.split())", "sum(1 for w in $v.split())", myth="$v.count(' ') + 1"),
    step("palindrome", TEXT, BOOL, "check whether the text is a palindrome|tell if the text reads the same backwards",
         "$v == $v[::-1]", "list($v) == list(reversed($v))"),
    step("split", TEXT, WORDS, "split the text into words|list the words", "$v.split()", "[w for w in $v.split()]"),
)  # fmt: skip

WORD_LISTS: tuple[Operation, ...] = (
    each("upper_words", WORDS, "convert every word to upper case|write the words in capitals", "w.upper()",
         "''.join(c.upper() for c in w)"),
    each("backward_words", WORDS, "reverse every word|read each word backwards", "w[::-1]", "''.join(reversed(w))"),
    each("lengths", WORDS, "replace every word by its length|measure every word", "len(w)", "sum(1 for c in w)",
         target=NUMBERS),
    keep("long_words", WORDS, "keep the words longer than $k|drop the words of up to $k letters",
         "len(w) > $k", "$k < len(w)", myth="len(w) >= $k"),
    keep("non_empty", WORDS, "drop the empty words|keep the words that are not empty", "w", "w != ''", "len(w) > 0"),
    step("sort_words", WORDS, WORDS, "sort the words|put the words in alphabetical order",
         "sorted($v)", "sorted(list($v))"),
    step("words_by_length", WORDS, WORDS, "sort the words by length|order the words from short to long",
         "sorted($v, key=len)", "sorted($v, key=lambda w: len(w))", myth="sorted($v, key=len, reverse=True)"),
    step("unique_words", WORDS, WORDS, "remove duplicate words, keeping the first|keep the first of equal words",
         "list(dict.fromkeys($v))", "[w for i, w in enumerate($v) if w not in $v[:i]]", myth="sorted(set($v))",
         block="$o = []\nfor w in $v:\n    if w not in $o:\n        $o.append(w)", level=2),
    step("reversed_words", WORDS, WORDS, "reverse the order of the words|read the words from the end",
         "$v[::-1]", "list(reversed($v))"),
    step("first_words", WORDS, WORDS, "take the first $k words|cut the list after $k words", "$v[:$k]", "$v[0:$k]"),
    step("join_spaces", WORDS, TEXT, "join the words with spaces|put the words in one line",
         "' '.join($v)", "' '.join(w for w in $v)"),
    step("join_commas", WORDS, TEXT, "join the words with commas|separate the words by commas",
         "','.join($v)", "','.join(w for w in $v)"),
    step("glue", WORDS, TEXT, "glue the words together|join the words with nothing between",
         "''.join($v)", "''.join(w for w in $v)"),
    step("longest", WORDS, TEXT, "find the first longest word|take the longest word, the first on a tie",
         "max($v, key=len, default='')", "max($v, key=len) if $v else ''",
         myth="sorted($v, key=len)[-1] if $v else ''", level=2),
    total("how_many", WORDS, "count the words|return how many words there are", "1", None,
          "len($v)", "sum(1 for w in $v)"),
    step("word_repeats", WORDS, BOOL, "check whether any word repeats|tell if there are equal words",
         "len(set($v)) < len($v)", "len(set($v)) != len($v)"),
)  # fmt: skip

OPERATIONS: dict[str, Operation] = {
    operation.name: operation for operation in (*NUMBER_LISTS, *TOTALS, *SINGLE_NUMBERS, *TEXTS, *WORD_LISTS)
}

BY_SOURCE: dict[str, tuple[Operation, ...]] = {
    source: tuple(operation for operation in OPERATIONS.values() if operation.source == source)
    for source in sorted({operation.source for operation in OPERATIONS.values()})
}

BY_PHRASE: dict[tuple[str, str], Operation] = {
    (operation.source, phrase): operation for operation in OPERATIONS.values() for phrase in operation.phrases
}


def phrases_and_answers() -> dict[str, dict[str, dict[str, str]]]:
    """Returns the part of the catalogue that ships with ucoder, as `ucoder.seed.reference` reads it."""
    types: dict[str, dict[str, dict[str, str]]] = {}
    for (source, phrase), operation in BY_PHRASE.items():
        types.setdefault(source, {}).setdefault(operation.target, {})[phrase] = operation.ways[0]
    return types
