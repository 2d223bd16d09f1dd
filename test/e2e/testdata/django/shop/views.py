import hashlib
import os

from django.http import FileResponse, HttpResponse, HttpResponseRedirect, JsonResponse, StreamingHttpResponse
from django.utils.safestring import mark_safe
from django.views.decorators.csrf import csrf_exempt

from .models import Item


def index(request):
    return HttpResponse("hello from django")


@csrf_exempt
def items(request):
    """The names in the database, after adding one."""
    if request.method == "POST":
        Item.objects.create(name=request.POST["name"])
    return JsonResponse({"items": list(Item.objects.order_by("id").values_list("name", flat=True))})


@csrf_exempt
def upload(request):
    file = request.FILES["file"]
    digest = hashlib.sha256()
    for chunk in file.chunks():
        digest.update(chunk)
    return JsonResponse({"name": file.name, "size": file.size, "sha256": digest.hexdigest()})


def stream(request):
    return StreamingHttpResponse((f"{n}\n" for n in range(3)), content_type="text/plain")


def file(request):
    return FileResponse(open(os.environ["E2E_FILE"], "rb"), content_type="application/octet-stream")


def count(request):
    request.session["seen"] = request.session.get("seen", 0) + 1
    return HttpResponse(str(request.session["seen"]))


def away(request):
    """A redirect to a SafeString, which is a subclass of str."""
    return HttpResponseRedirect(mark_safe("/items/"))


def fail(request):
    raise RuntimeError("django was asked to fail")
