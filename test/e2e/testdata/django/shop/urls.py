from django.contrib import admin
from django.urls import path

from . import views

urlpatterns = [
    path("", views.index),
    path("admin/", admin.site.urls),
    path("items/", views.items),
    path("upload/", views.upload),
    path("stream/", views.stream),
    path("file/", views.file),
    path("count/", views.count),
    path("away/", views.away),
    path("fail/", views.fail),
]
