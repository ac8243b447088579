"""From a training net to the net that is deployed: data, losses and what serves only them go, inputs come.

Decide, then edit. `plan` says which layers stay, on the Caffe view; `edits` turns the plan into spans of
text; `deployer` puts both together, checks the result and reports.

| file | holds |
| --- | --- |
| `roles` | what a layer is there for, by its type: data, loss, measurement, weights |
| `graph` | what each blob depends on |
| `heads` | the losses, what each of them judges, and which are auxiliary |
| `plan` | which layers stay, which become inputs, which become Softmax or Sigmoid |
| `inputs` | the shapes of inputs, as far as the file decides |
| `cutting` | taking fields and layers out of a text without a trace |
| `edits` | the plan as edits |
| `deployer` | `deploy` |
"""

from prototools.deploying.deployer import Change, Deployed, Refusal, deploy

__all__ = ["Change", "Deployed", "Refusal", "deploy"]
