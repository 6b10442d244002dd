"""TextBoost as a library: one-shot personalization by training the text encoder alone.

Version 1 of the paper (arXiv 2409.08248v1). The parts stand alone and work on any Stable
Diffusion pipeline of diffusers:

- `textboost.tokens`: new vocabulary entries, trained as rows and saved as textual inversion files
- `textboost.augmentation`: changes to the photo, each named in the prompt by a token
- `textboost.adapters`: LoRA on the text encoder, saved in diffusers' format
- `textboost.losses`: the knowledge-preservation loss
- `textboost.timesteps`: the timestep distribution weighted by the signal-to-noise ratio
- `textboost.train`: the above put together around a pipeline; the training loop stays yours
"""
