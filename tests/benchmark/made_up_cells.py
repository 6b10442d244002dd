"""Cells that nobody can run, for tests of order and division."""

from benchmark.plan import Cell


def made_up(method="base", class_noun="dog", seed=0, prior_images=0, **changes) -> Cell:
    """A cell of the method; with `prior_images` it draws on those of its class noun."""
    fields = {
        "method": method,
        "preset": "paper",
        "settings": {"prior_images": prior_images, "prior_preservation": True},
        "code_version": "1",
        "backbone": "toy",
        "backbone_revision": "r",
        "dataset": "toyworld",
        "split": "n1",
        "subject": f"a_{class_noun}",
        "class_noun": class_noun,
        "descriptor": class_noun,
        "live": True,
        "seen": {},
        "unseen": {},
        "train_seed": seed,
        "compute": {"precision": "fp32"},
        "prior": {"steps": 50, "guidance_scale": 7.5, "sampler": "default"},
        "resolution": 32,
        "captions": "c",
        "prompts": {},
        "seeds": [0],
        "steps": 2,
        "guidance_scale": 7.5,
        "sampler": "dpm++",
        "metrics": {},
        "image_encoders": {},
        "text_encoders": {},
    }
    return Cell(**(fields | changes))
