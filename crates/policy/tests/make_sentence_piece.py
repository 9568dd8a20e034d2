"""Makes tests/data/sentence_piece: tokenizers of SentencePiece's type as Llama-2, Mistral and Gemma have them, with what transformers
makes of some texts.

    python3 -m pip install transformers==4.57.6
    python3 crates/policy/tests/make_sentence_piece.py

`expected.json` holds for every text its ids, and for every list of ids the text that they decode to.
"""

import json
import pathlib
import random
import shutil

import tokenizers
import transformers
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

HERE = pathlib.Path(__file__).parent / "data" / "sentence_piece"
TEXTS = ["a western", " two  spaces ", "Amélie", "千と🎬", "tab\tline\n", "<s> a</s>b", "", "▁mark", "xyz<0x41>", "a western film " * 2]
WORDS = ["▁", "▁a", "▁w", "es", "wes", "tern", "▁western", "te", "rn", "▁▁", "fi", "lm", "▁film", "é", "▁wes", "▁fi"]
MERGES = [("▁", "a"), ("▁", "w"), ("e", "s"), ("t", "e"), ("r", "n"), ("te", "rn"), ("▁w", "es"), ("▁wes", "tern"), ("▁", "▁")]
MERGES += [("f", "i"), ("▁", "fi"), ("l", "m"), ("▁fi", "lm"), ("w", "es")]


def vocabulary():
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    letters = sorted(set("▁abefilmnrstwxyz<>0/4|A") | set("".join(WORDS)))
    tokens += [token for token in letters + WORDS if token not in tokens]
    return {token: index for index, token in enumerate(dict.fromkeys(tokens))}


def bpe():
    return models.BPE(vocab=vocabulary(), merges=MERGES, unk_token="<unk>", byte_fallback=True, fuse_unk=True)


def fallback(strip):
    parts = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    return decoders.Sequence(parts + ([decoders.Strip(" ", 1, 0)] if strip else []))


def kinds():
    # Llama-2: spaces by normalisation, a mark before the text.
    llama = Tokenizer(bpe())
    llama.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    llama.decoder = fallback(True)
    yield "llama", llama
    # Mistral of later years: a pre-tokenizer, a mark before the first word only.
    mistral = Tokenizer(bpe())
    mistral.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
    mistral.decoder = fallback(True)
    yield "mistral", mistral
    # Gemma: no mark before the text, and none is taken off.
    gemma = Tokenizer(bpe())
    gemma.normalizer = normalizers.Replace(" ", "▁")
    gemma.pre_tokenizer = pre_tokenizers.Split(" ", "merged_with_previous")
    gemma.decoder = fallback(False)
    yield "gemma", gemma
    # A unigram model with Metaspace on both sides.
    unigram = Tokenizer(models.Unigram([(token, -float(i % 17) - 1) for token, i in vocabulary().items()], unk_id=0, byte_fallback=True))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    unigram.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    yield "unigram", unigram


def main():
    shutil.rmtree(HERE, ignore_errors=True)
    draw = random.Random(3)
    for name, inner in kinds():
        inner.add_special_tokens([AddedToken(token, normalized=False) for token in ["<unk>", "<s>", "</s>"]])
        wrapped = transformers.PreTrainedTokenizerFast(
            tokenizer_object=inner, unk_token="<unk>", bos_token="<s>", eos_token="</s>", clean_up_tokenization_spaces=False
        )
        wrapped.save_pretrained(HERE / name)
        rows = [[draw.randrange(len(wrapped)) for _ in range(length)] for length in (1, 2, 3, 5, 8, 13, 21) for _ in range(6)]
        # No tokens of bytes: this decoder writes them as they are spelt.
        if name == "unigram":
            rows = [[i for i in row if not 3 <= i < 259] for row in rows]
        ids = [wrapped.encode(text, add_special_tokens=False) for text in TEXTS]
        expected = dict(
            made_by=f"transformers {transformers.__version__}, tokenizers {tokenizers.__version__}",
            encoded=[dict(text=text, ids=row) for text, row in zip(TEXTS, ids)],
            decoded=[dict(ids=row, text=wrapped.decode(row, skip_special_tokens=True)) for row in ids + rows],
        )
        (HERE / name / "expected.json").write_text(json.dumps(expected, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
