"""What distillation needs beside the search: where gradients are compared, plain coefficients, rows, fidelity."""
