package affinity

// allowed is what Local takes for this process's mask.
func allowed() (Set, error) { return Available() }
