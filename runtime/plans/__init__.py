"""TensorRT plans: what each is for, where it lies, who answers for it."""
