"""What a TextBoost training does, as plain values. Free of torch, for planners."""

from __future__ import annotations

from dataclasses import dataclass

# The six linear layers of a CLIP layer, as in the code of the paper's time.
ALL_LINEAR = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


@dataclass(frozen=True)
class Recipe:
    """Defaults: TextBoost v1 as its paper claims it. Where each number comes from stands in the
    methods' files of the benchmark, `methods/textboost*.py`.

    steps, batch_size: optimizer steps and photos in each. learning_rate: of the adapter;
    token_learning_rate: of the new rows. max_gradient_norm: over the adapter.
    max_row_norm: after each step longer rows are cut to this length; "mean": the mean length of
    the untouched table's rows; 0: free.

    adapter: "lora" on the text encoder's layers named by `targets`; "causal", behind fc2 and only
    from the new token on (v2); "causal+cross-attention", and before every cross-attention as well
    (TextBoost++). rank: of each of its factors.

    augmentation: the set of changes to the photo, see `textboost.augmentation.SETS`.
    augmentation_probability: of each independent draw of it that has none of its own, as gray has
    in "release" (0.2); 0: no change at all.
    augmentation_tokens: changes are named in the prompt. False: made, but not named.

    knowledge_preservation, with preservation_weight (lambda) and `prior_batch_size` prompts a
    step, of which null_probability are empty and class_probability name the class.
    snr_sampling: timesteps weighted towards noise; False: uniform.
    templates: prompts around the words for the subject, "imagenet" or "style".
    placeholder: the new token, which starts from descriptor and class noun ("corgi dog"), or
    without class_in_start from the descriptor, if there is one. vectors, augmentation_vectors:
    the most rows per token, 0: one per sub-word of what the token starts from.

    As in the public release: quoted_prompt, the new token as a printed list without the class
    noun; fixed_start, the start-of-text output and the empty prompt's held at the pretrained
    values while training.
    """

    steps: int = 250
    batch_size: int = 8
    learning_rate: float = 5e-5
    token_learning_rate: float = 1e-3
    max_gradient_norm: float = 1.0
    max_row_norm: float | str = 0.0
    adapter: str = "lora"
    rank: int = 4
    targets: tuple[str, ...] = ALL_LINEAR
    augmentation: str = "paper-time"
    augmentation_probability: float = 0.8
    augmentation_tokens: bool = True
    augmentation_vectors: int = 0
    knowledge_preservation: bool = True
    preservation_weight: float = 0.1
    prior_batch_size: int = 8
    null_probability: float = 0.1
    class_probability: float = 0.1
    snr_sampling: bool = True
    templates: str = "imagenet"
    placeholder: str = "<subject>"
    class_in_start: bool = True
    vectors: int = 0
    quoted_prompt: bool = False
    fixed_start: bool = False
