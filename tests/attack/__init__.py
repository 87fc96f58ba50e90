"""Attacks on the running proxy, each beside normal clients: `make attack`, and in a short form `pytest tests/attack`.

- `attack.py`: `Attack`, what one hostile client does, and `Target`, its view of the proxy.
- `attacks.py`: the list of all attacks, from `head_attacks.py`, `connection_attacks.py`, `body_attacks.py`,
  `form_attacks.py` and `image_attacks.py`. `bombs.py` builds the images. A new attack is a line in one of these lists,
  and a function if it needs one.
- `attacker.py`: a process that runs one attack; `harmless_load.py`: one that uses as much of the processor.
- `normal_clients.py`: posts images and requests `GET /health` at a fixed rate, and records what happens to them.
- `attack_stack.py`: all processes of the service, with the proxy and the fast model in the memory that Compose allows.
- `campaign.py`: runs one attack and compares; `table.py` prints the results.
- `processor_time.py` reads how much of the processor a process has used.
- `image_costs.py`: what one image of each kind costs the proxy and the fast model per byte.
"""
