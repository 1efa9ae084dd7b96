# Tries: HTML, formulas and escapes in the words of an error
# Deserves: nothing
# Caught by: test_listens
# Says: RuntimeError

raise RuntimeError("=1+1 <script>alert(1)</script> </pre> \0 \x1b[2J \u202e \ud800 ]]> {{7*7}}")
