# Prints the value of each of K0, K1 ... in the file that the second argument
# names, by the python-dotenv below the first, in base64.
import base64, sys

sys.path.insert(0, sys.argv[1])
from dotenv import dotenv_values

values = dotenv_values(sys.argv[2])
for i in range(len(values)):
    print(base64.b64encode(values["K%d" % i].encode()).decode())
