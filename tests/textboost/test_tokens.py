import pytest
import torch
from safetensors.torch import load_file

from textboost import tokens
from textboost.conditioning import encode as encode_fully


def encode(pipe, prompts):
    return encode_fully(pipe, prompts).states


def add(pipe, name="<subject>", words="red dog", vectors=0):
    return tokens.add_token(pipe, name, tokens.initial_rows(pipe, words, vectors))


def table(pipe):
    return pipe.text_encoder.get_input_embeddings().weight


def vocabulary_row(pipe, word):
    return table(pipe)[pipe.tokenizer.convert_tokens_to_ids(f"{word}</w>")]


def test_a_token_starts_from_the_rows_of_its_sub_words_in_order(open_pipe):
    pipe = open_pipe()
    before = table(pipe).detach().clone()
    token = add(pipe)
    assert len(token.ids[0]) == 2
    assert torch.equal(table(pipe)[token.ids[0][0]], vocabulary_row(pipe, "red"))
    assert torch.equal(table(pipe)[token.ids[0][1]], vocabulary_row(pipe, "dog"))
    assert torch.equal(table(pipe)[: len(before)], before)
    assert torch.equal(tokens.token_rows(pipe, "<subject>")[0], table(pipe)[list(token.ids[0])])


def test_a_cap_on_vectors_averages_runs_of_sub_words(open_pipe):
    pipe = open_pipe()
    red, dog, photo = (vocabulary_row(pipe, word) for word in ("red", "dog", "photo"))

    def start(vectors):
        return tokens.initial_rows(pipe, "red dog photo", vectors)[0]

    torch.testing.assert_close(start(1), ((red + dog + photo) / 3)[None])
    torch.testing.assert_close(start(2), torch.stack([(red + dog) / 2, photo]))
    assert torch.equal(start(9), torch.stack([red, dog, photo]))


def test_the_short_form_is_read_as_all_vectors(open_pipe):
    pipe = open_pipe()
    token = add(pipe)
    ids = pipe.tokenizer(pipe.maybe_convert_prompt("a <subject> dog", pipe.tokenizer)).input_ids
    assert tuple(ids[2:4]) == token.ids[0]
    red_dog = encode(pipe, ["a photo of red dog"])
    assert torch.equal(encode(pipe, ["a photo of <subject>"]), red_dog)


@pytest.mark.parametrize("name", ["<Subject>", "my dog", ""])
def test_names_the_tokenizer_could_not_find_again_are_refused(open_pipe, name):
    with pytest.raises(ValueError, match="lower-case letters without spaces"):
        add(open_pipe(), name)


def test_a_known_name_and_an_empty_initialiser_are_refused(open_pipe):
    pipe = open_pipe()
    with pytest.raises(ValueError, match="in the vocabulary already"):
        add(pipe, "dog</w>", "dog")
    with pytest.raises(ValueError, match="at least one word"):
        add(pipe, words=" ")
    with pytest.raises(ValueError, match='no token "<other>"'):
        tokens.token_rows(pipe, "<other>")


def test_only_the_new_rows_get_a_gradient_and_only_they_change(open_pipe):
    pipe = open_pipe()
    before = table(pipe).detach().clone()
    token = add(pipe)
    plain = encode(pipe, ["a red <subject>"])
    pipe.text_encoder.requires_grad_(False)
    (wrapper,) = tokens.install(pipe, [token])
    assert torch.equal(encode(pipe, ["a red <subject>"]), plain)
    assert [p is wrapper.rows for p in pipe.text_encoder.parameters() if p.requires_grad] == [True]

    optimizer = torch.optim.AdamW([wrapper.rows], lr=0.1, weight_decay=0.5)
    encode(pipe, ["a red <subject>"]).square().sum().backward()
    optimizer.step()
    trained = encode(pipe, ["a red <subject>"]).detach()
    tokens.merge(pipe)

    assert type(pipe.text_encoder.get_input_embeddings()) is torch.nn.Embedding
    assert torch.equal(table(pipe)[: len(before)], before)
    assert torch.equal(table(pipe)[list(token.ids[0])], wrapper.rows)
    assert not torch.equal(trained, plain)
    assert torch.equal(encode(pipe, ["a red <subject>"]), trained)


def test_one_saved_token_loads_with_the_plain_diffusers_call(open_pipe, tmp_path):
    pipe, fresh, ours = open_pipe(), open_pipe(), open_pipe()
    add(pipe, words="red dog photo")
    tokens.save_token(pipe, "<subject>", tmp_path / "learned_embeds.safetensors")
    saved = load_file(tmp_path / "learned_embeds.safetensors")
    assert {name: rows.shape for name, rows in saved.items()} == {"<subject>": (3, 16)}

    fresh.load_textual_inversion(tmp_path)
    tokens.load_token(ours, "<subject>", tmp_path / "learned_embeds.safetensors")
    wanted = encode(pipe, ["a photo of <subject>"])
    assert torch.equal(encode(fresh, ["a photo of <subject>"]), wanted)
    assert torch.equal(encode(ours, ["a photo of <subject>"]), wanted)


def test_a_file_of_another_token_is_refused(open_pipe, tmp_path):
    pipe = open_pipe()
    add(pipe, "<grid>")
    tokens.save_token(pipe, "<grid>", tmp_path / "grid.safetensors")
    with pytest.raises(ValueError, match="expected <crop>, found <grid>"):
        tokens.load_token(open_pipe(), "<crop>", tmp_path / "grid.safetensors")


def test_rows_that_do_not_arrive_are_noticed(open_pipe, tmp_path, monkeypatch):
    pipe, fresh = open_pipe(), open_pipe()
    add(pipe)
    tokens.save_token(pipe, "<subject>", tmp_path / "learned_embeds.safetensors")
    add(fresh, words="a dog")  # a loader that adds the token and forgets the rows
    monkeypatch.setattr(fresh, "load_textual_inversion", lambda *_, **__: None)
    with pytest.raises(ValueError, match="did not arrive"):
        tokens.load_token(fresh, "<subject>", tmp_path / "learned_embeds.safetensors")


def test_a_prompt_beyond_the_context_is_cut_or_refused(open_pipe):
    pipe = open_pipe()
    long = " ".join(["dog"] * 31)
    assert encode(pipe, [long]).shape == (1, 32, 16)
    with pytest.raises(ValueError, match="has 33 tokens, the text encoder reads 32"):
        encode_fully(pipe, [long], whole=True)
    assert encode_fully(pipe, [" ".join(["dog"] * 30)], whole=True).states.shape == (1, 32, 16)
