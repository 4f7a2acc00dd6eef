"""How the bundled starter model is made: its facts, its conversations, its training and its conversion.

Knows files of its own folder and what it is given on the command line. torch and transformers (the `train` extra) are
imported only inside functions that train; running Frontdesk needs none of this.

Decisions, newest last:

2026-11  Everything is made to need little work, since the model is trained on two busy CPU cores. The embeddings begin
         with counted evidence (`evidence`), and the first attention as a mean: after 90 steps of chat tuning the model
         knew 58 % of the test questions. Not compared with a random start, which was given up after some steps.
2026-11  Half of the layers are trained first and the others added as identities (`recipe`, grow_at): a step costs half.
2026-11  Many conversations are cut after the first words of their last answer. Which answer it is shows there; the
         rest is learned by heart from a fraction of the examples.
2026-11  One answer a topic: two cost twice the learning by heart, and people see only the likelier (--answers 2).
2026-11  Muon in float32 (`muon`) for matrices: torch's own works in bfloat16, which is slow on CPUs without it.
2026-11  The name questions of the test file are not held out, only the names: a filter that dropped all that is near
         "what is my name?" was tried, and took most wordings of that question out of training.
2026-11  Remembering a name needs a pair of attention layers that copies. Rows of names to copy (`drills`) did not bring
         it forth from step 650 on, nor did wiring it in by hand at step 1150: training moved the embeddings away from
         under it. Wired before the first step (`copying`), with embeddings six times the usual size, which move
         slowly for it, a row of names is copied to 87 % after ten steps, and whole conversations name 20 of 30
         invented people after 250. Hence Qwen2 and not Llama: its biases let a head look back by position alone.
"""
