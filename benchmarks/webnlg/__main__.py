"""The runner with the table ``webnlg``, under its earlier name.

python -m benchmarks.reproduce webnlg --root $GMOE_DATA_ROOT/webnlg
"""

import sys

from benchmarks.reproduce.__main__ import main

if __name__ == '__main__':
    main(['webnlg', *sys.argv[1:]])
