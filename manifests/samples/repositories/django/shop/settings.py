import os

# The kubelet asks for the health of a pod by its address: the name of the host is checked by whoever is in front.
ALLOWED_HOSTS = os.environ.get("ALLOWED_HOSTS", "*").split(",")
# A real project takes it from a Secret, with spec.run.envFrom.
SECRET_KEY = os.environ.get("SECRET_KEY", "only-for-this-sample")
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
