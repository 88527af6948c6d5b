import signal
import sys
import time

import schedule

signal.signal(signal.SIGTERM, lambda *_: sys.exit())


@schedule.repeat(schedule.every(5).seconds)
def work():
    print("Hello from a worker", flush=True)


schedule.run_all()
while True:
    schedule.run_pending()
    time.sleep(1)
