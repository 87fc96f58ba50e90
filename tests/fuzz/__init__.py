"""Fuzzing of everything that interprets bytes of clients.

    targets        functions that call this code with any bytes, and raise an exception only if it misbehaves
    atheris_run    fuzzes one target in a process of its own (`python -m tests.fuzz.atheris_run TARGET`)
    __main__       fuzzes all targets one after another (`make fuzz`)
    corpus/        inputs to start with; `test_corpus.py` calls each target with its own, without the fuzzer

An input that makes a target fail is kept in `var/fuzz`. Add it to the corpus together with the fix.
"""
