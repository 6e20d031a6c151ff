#!/usr/bin/python3
"""WebKit for WebKitWebDriver: a browser that keeps its data in a folder, or nothing, and whose microphone beeps.

usage: webkit.py <folder, or '' for a private window> <script that runs before every page's own, or ''>
"""
import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gtk, WebKit2

folder, script = sys.argv[1:3]
if folder:
    manager = WebKit2.WebsiteDataManager(base_data_directory=folder + "/data", base_cache_directory=folder + "/cache")
else:
    manager = WebKit2.WebsiteDataManager.new_ephemeral()
context = WebKit2.WebContext(website_data_manager=manager)
settings = WebKit2.Settings(
    enable_media_stream=True,
    enable_mock_capture_devices=True,
    enable_webrtc=True,
    enable_write_console_messages_to_stdout=True,
    media_playback_requires_user_gesture=True,
)
# As in Safari.
features = WebKit2.Settings.get_all_features()
for i in range(features.get_length()):
    feature = features.get(i)
    if feature.get_identifier() in ("StorageAPI", "StorageAPIEstimate", "FileSystem", "AccessHandle"):
        settings.set_feature_enabled(feature, True)
scripts = WebKit2.UserContentManager()
scripts.add_script(
    WebKit2.UserScript(script, WebKit2.UserContentInjectedFrames.TOP_FRAME, WebKit2.UserScriptInjectionTime.START)
)


def allow(_, request):
    request.allow()
    return True


def open_view(_):
    view = WebKit2.WebView(
        web_context=context, settings=settings, user_content_manager=scripts, is_controlled_by_automation=True
    )
    view.connect("permission-request", allow)
    view.connect("close", lambda view: view.get_toplevel().destroy())
    window = Gtk.Window()
    window.set_default_size(1280, 900)
    window.add(view)
    window.show_all()
    return view


def started(_, session):
    info = WebKit2.ApplicationInfo()
    info.set_name("Starling")
    session.set_application_info(info)
    session.connect("create-web-view", open_view)
    session.connect("will-close", lambda _: Gtk.main_quit())


context.set_automation_allowed(True)
context.connect("automation-started", started)
Gtk.main()
