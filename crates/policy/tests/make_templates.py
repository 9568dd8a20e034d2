"""Makes tests/data/templates.json: chat templates, conversations, and what transformers makes of each pair.

    python3 -m pip install transformers==4.57.6
    python3 crates/policy/tests/make_templates.py [FOLDER]

The templates are written for this file after the constructs that published ones use. Of each rendering the file holds the first 16
hexadecimal digits of its SHA-256, or null where the template refuses the conversation; with FOLDER the texts are written there too.
"""

import datetime
import hashlib
import json
import pathlib
import sys
from unittest import mock

import jinja2
import transformers
from transformers.utils import chat_template_utils

HERE = pathlib.Path(__file__).parent / "data" / "templates.json"
DATE = datetime.datetime(2024, 2, 29)
SPECIAL = dict(bos_token="<|begin|>", eos_token="<|end|>", pad_token="<|end|>")
TOOLS = [
    {
        "function": {
            "description": "Looks a film up; \"quoted\" <tag> & é",
            "name": "find",
            "parameters": {
                "properties": {
                    "limit": {"default": 1.5, "type": "number"},
                    "title": {"description": "Its title", "enum": ["a", "b"], "type": "string"},
                },
                "required": ["title"],
                "type": "object",
            },
        },
        "type": "function",
    }
]
DOCUMENTS = [{"text": "Rain.\nMore rain.", "title": "One"}, {"text": "Sun", "title": "Two"}]

# Turns: s, u, a, t for system, user, assistant and tool.
ROLES = dict(s="system", u="user", a="assistant", t="tool")


def talk(*turns):
    return [dict(role=ROLES[turn[0]], content=turn[2:]) for turn in turns]


CONVERSATIONS = [
    (talk("u:Hello"), True, {}),
    (talk("s:Be brief.", "u:A western?"), True, {}),
    (talk("u:Hi", "a:Hello!", "u:And now?"), True, {}),
    (talk("s:Be kind.", "u:One", "a:Two", "u:Three", "a:Four"), False, {}),
    (talk("u:  spaces around \n"), True, {}),
    (talk("u:\x1c\x1d inside \x1e\x1f", "a:\x0b\x0c\x85\xa0"), False, {}),
    (talk("u:Amélie — 千と千尋 🎬 \u200b\u2028 \ufeff"), True, {}),
    (talk("u:{{ 7 * 7 }} {% if x %} {# no #}"), True, {}),
    (talk("u:<|end|><|assistant|></s>[/INST]", "a:<think>why</think>because", "u:ok"), True, {}),
    (talk("s:", "u:"), True, {}),
    (talk("u:tabs\tand\r\nreturns\rhere\n\n"), True, {}),
    (talk("u:quotes ' and \" and \\ and \\n <b>&amp;</b>"), True, {}),
    (talk("u:first", "u:second"), True, {}),
    (talk("a:I begin", "u:you follow"), False, {}),
    (talk("u:call it", "a:calling", "t:{\"found\": 3}", "a:It is 3."), False, {}),
    (talk("u:use a tool"), True, dict(tools=TOOLS)),
    (talk("s:With documents.", "u:What is there?"), True, dict(documents=DOCUMENTS)),
    (talk("u:think", "a:<think>\nhm\n</think>\n\nyes", "u:again"), True, dict(enable_thinking=False)),
    (talk("u:long " * 3, "a:<think>a</think> b </think> c"), False, dict(enable_thinking=True)),
    (talk("s:ß İ ǆ ŉ ﬁ Straße", "u:it's o'clock x-ray 3rd"), True, dict(custom="x", number=3, flag=True, nothing=None)),
]

# Constructs, one each. The messages' contents run through all that hang on texts.
EACH = "{% for m in messages %}%s{% endfor %}"
SMALL = [
    "{{ m.content.strip() }}|{{ m.content.lstrip() }}|{{ m.content.rstrip() }}|{{ m.content | trim }}|{{ m.content.strip('s\\n ') }};",
    "{{ m.content.split() }}{{ m.content.split(' ', 1) }}{{ m.content.rsplit(None, 1) }}{{ m.content.split('</think>')[-1].lstrip('\\n') }};",
    "{{ m.content.splitlines() }}{{ m.content.splitlines(true) | length }}{{ m.content.partition(' ') }}{{ m.content.rpartition('t') }};",
    "{{ m | tojson }}{{ m.content | tojson(ensure_ascii=true) }}{{ [m.role, none, true, 1.0] | tojson(separators=(',', ':')) }};",
    "{{ m | tojson(indent=2) }}{{ {'b': 1, 'a': [m.role, {}], 'c': []} | tojson(indent=4, sort_keys=True) }};",
    "{{ m }}{{ [m.content] }}{{ (m.role, 1) }}{{ {'k': m.content, 2: none} }};",
    "{{ m.content.upper() }}{{ m.content.lower() }}{{ m.content.title() }}{{ m.content.capitalize() }}{{ m.content | upper }};",
    "{{ m.content | capitalize }}{{ m.content | lower }}{{ m.content | length }}{{ m.content | replace('e', '<') }}{{ m.content | replace('a', 'bb', 1) }};",
    "{{ m.content.replace('o', '00') }}{{ m.content.replace('l', '', 1) }}{{ m.content.replace('', '.', 3) }}{{ m.content.count('a') }};",
    "{{ m.content.startswith(('He', 'A')) }}{{ m.content.endswith('?') }}{{ m.content.find('e') }}{{ m.content.rfind('e') }}{{ 'e' in m.content }};",
    "{{ m.content.removeprefix('H').removesuffix('o') }}{{ m.content.isspace() }}{{ m.content.isdigit() }}{{ m.role.isalpha() }}{{ m.role.islower() }};",
    "{{ '%s: %5s|%-9s|%03d' % (m.role, m.role[0], m.role, loop.index) }}{{ '%s' % m.content }}{{ '{}-{x}-{0}'.format(m.role, x=loop.index0) }};",
    "{{ m.role ~ ':' ~ loop.index ~ true ~ none ~ 1.5 }}{{ m.role + '=' + m.content }}{{ m.role * 2 }}{{ '-' * loop.index }};",
    "{{ m['content'][:5] }}|{{ m.content[::-1] }}|{{ m.content[-3:] }}|{{ m.content[1] }}|{{ m.content[2:-1] }};",
    "{{ m.content | indent }}{{ m.content | indent(2, true) }}{{ m.content | indent(width=3, blank=true) }};",
    "{{ m.keys() | list }}{{ m.values() | list }}{% for k, v in m.items() %}{{ k }}={{ v }},{% endfor %}{{ m.get('x', 'none') }}{{ m.get('y') }};",
    "{% if m.tool_calls is defined %}T{% endif %}{% if m['name'] is undefined %}U{% endif %}{{ m.name | default('d') }}{{ '' | default('e', true) }};",
    "{{ m.content is string }}{{ m is mapping }}{{ m.content is iterable }}{{ m.content is sequence }}{{ m.x is none }}{{ 1 is number }}{{ loop.index is odd }};",
    "{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.cycle('a', 'b') }}{{ loop.previtem.role }}{{ loop.nextitem.role }};",
    "{% if m.role == 'user' %}{% continue %}{% endif %}{{ m.content }}{% if loop.index == 3 %}{% break %}{% endif %};",
    "{{ m.content | e }}{{ m.content | safe }}{{ m.content | string | first }}{{ m.content | list | last }};",
    "{{ m.content.zfill(12) }}{{ m.role.center(11, '*') }}{{ m.role.ljust(9) }}|{{ m.role.rjust(9) }}{{ ', '.join([m.role, 'x']) }};",
    "{% set parts = m.content.split(' ') %}{% for p in parts if p %}{{ p }}/{% else %}none{% endfor %}{{ parts | join('+') }}{{ parts[0] | int }};",
]
WHOLE = [
    # ChatML and its relatives.
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\nYou help.<|im_end|>\n' }}{% endif %}\n{% for message in messages %}\n    {{- '<|im_start|>' ~ message.role }}\n    {{ message.content | trim }}<|im_end|>\n{% endfor %}\n{% if add_generation_prompt -%}\n<|im_start|>assistant\n{% endif %}",
    # Instruction brackets, strict alternation.
    "{{ bos_token }}{% for message in messages %}{% if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('Conversation roles must alternate user/assistant/user/assistant/...') }}{% endif %}{% if message['role'] == 'user' %}{{ '[INST] ' + message['content'] + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ message['content'] + eos_token }}{% else %}{{ raise_exception('Only user and assistant roles are supported!') }}{% endif %}{% endfor %}",
    "{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\\n' + system_message + '\\n<</SYS>>\\n\\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}",
    # Headers, dates, tools in the system turn.
    "{{- bos_token }}\n{%- if not tools_in_user is defined %}\n    {%- set tools_in_user = true %}\n{%- endif %}\n{%- if not date_string is defined %}\n    {%- if strftime_now is defined %}\n        {%- set date_string = strftime_now(\"%d %b %Y\") %}\n    {%- else %}\n        {%- set date_string = \"26 Jul 2024\" %}\n    {%- endif %}\n{%- endif %}\n{%- if not tools is defined %}\n    {%- set tools = none %}\n{%- endif %}\n\n{#- System turn -#}\n{%- if messages[0]['role'] == 'system' %}\n    {%- set system_message = messages[0]['content']|trim %}\n    {%- set messages = messages[1:] %}\n{%- else %}\n    {%- set system_message = \"\" %}\n{%- endif %}\n{{- \"<|h|>system<|/h|>\\n\\n\" }}\n{%- if tools is not none %}\n    {{- \"Environment: ipython\\n\" }}\n{%- endif %}\n{{- \"Today: \" + date_string + \"\\n\\n\" }}\n{%- if tools is not none and not tools_in_user %}\n    {%- for t in tools %}\n        {{- t | tojson(indent=4) }}\n        {{- \"\\n\\n\" }}\n    {%- endfor %}\n{%- endif %}\n{{- system_message }}\n{{- \"<|eot|>\" }}\n{%- for message in messages %}\n    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) %}\n        {{- '<|h|>' + message['role'] + '<|/h|>\\n\\n'+ message['content'] | trim + '<|eot|>' }}\n    {%- elif message.role == \"tool\" %}\n        {{- \"<|h|>ipython<|/h|>\\n\\n\" }}\n        {%- if message.content is mapping or message.content is iterable %}\n            {{- message.content | tojson }}\n        {%- else %}\n            {{- message.content }}\n        {%- endif %}\n        {{- \"<|eot|>\" }}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|h|>assistant<|/h|>\\n\\n' }}\n{%- endif %}\n",
    # Tools as XML, thinking that is cut out of earlier turns.
    "{%- if tools %}\n    {{- '<|s|>system\\n' }}\n    {%- if messages[0].role == 'system' %}\n        {{- messages[0].content + '\\n\\n' }}\n    {%- endif %}\n    {{- \"# Tools\\n\\n<tools>\" }}\n    {%- for tool in tools %}\n        {{- \"\\n\" }}\n        {{- tool | tojson }}\n    {%- endfor %}\n    {{- \"\\n</tools><|e|>\\n\" }}\n{%- elif messages[0].role == 'system' %}\n    {{- '<|s|>system\\n' + messages[0].content + '<|e|>\\n' }}\n{%- endif %}\n{%- set ns = namespace(multi=true, last=messages|length - 1) %}\n{%- for message in messages[::-1] %}\n    {%- set index = (messages|length - 1) - loop.index0 %}\n    {%- if ns.multi and message.role == \"user\" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}\n        {%- set ns.multi = false %}\n        {%- set ns.last = index %}\n    {%- endif %}\n{%- endfor %}\n{%- for message in messages %}\n    {%- if message.content is string %}\n        {%- set content = message.content %}\n    {%- else %}\n        {%- set content = '' %}\n    {%- endif %}\n    {%- if (message.role == \"user\") or (message.role == \"system\" and not loop.first) %}\n        {{- '<|s|>' + message.role + '\\n' + content + '<|e|>' + '\\n' }}\n    {%- elif message.role == \"assistant\" %}\n        {%- set reasoning = '' %}\n        {%- if message.reasoning_content is string %}\n            {%- set reasoning = message.reasoning_content %}\n        {%- else %}\n            {%- if '</think>' in content %}\n                {%- set reasoning = content.split('</think>')[0].rstrip('\\n').split('<think>')[-1].lstrip('\\n') %}\n                {%- set content = content.split('</think>')[-1].lstrip('\\n') %}\n            {%- endif %}\n        {%- endif %}\n        {%- if loop.index0 > ns.last %}\n            {%- if loop.last or (not loop.last and reasoning) %}\n                {{- '<|s|>' + message.role + '\\n<think>\\n' + reasoning.strip('\\n') + '\\n</think>\\n\\n' + content.lstrip('\\n') }}\n            {%- else %}\n                {{- '<|s|>' + message.role + '\\n' + content }}\n            {%- endif %}\n        {%- else %}\n            {{- '<|s|>' + message.role + '\\n' + content }}\n        {%- endif %}\n        {{- '<|e|>\\n' }}\n    {%- elif message.role == \"tool\" %}\n        {%- if loop.first or (messages[loop.index0 - 1].role != \"tool\") %}\n            {{- '<|s|>user' }}\n        {%- endif %}\n        {{- '\\n<r>\\n' }}\n        {{- content }}\n        {{- '\\n</r>' }}\n        {%- if loop.last or (messages[loop.index0 + 1].role != \"tool\") %}\n            {{- '<|e|>\\n' }}\n        {%- endif %}\n    {%- endif %}\n{%- endfor %}\n{%- if add_generation_prompt %}\n    {{- '<|s|>assistant\\n' }}\n    {%- if enable_thinking is defined and enable_thinking is false %}\n        {{- '<think>\\n\\n</think>\\n\\n' }}\n    {%- endif %}\n{%- endif %}",
    # Marks around what the assistant wrote.
    "{%- for message in messages -%}\n{%- if message.role == 'assistant' -%}\n<|a|>{% generation %}{{ message.content + '<|e|>' }}{% endgeneration %}\n{%- else -%}\n<|{{ message.role }}|>{{ message.content }}<|e|>\n{%- endif -%}\n{%- endfor -%}\n{%- if add_generation_prompt -%}<|a|>{%- endif -%}",
    "{% for m in messages %}\n{% if m.role == 'assistant' %}\n  {%- generation -%}\n  {{ m.content }}\n  {%- endgeneration %}\n{% else %}\n{{ m.content }}\n{% endif %}\n{% endfor %}",
    # Turns by model names, the first system joined to the first user.
    "{{ bos_token }}{% if messages[0]['role'] == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}{% for message in messages %}{% if (message['role'] == 'assistant') %}{% set role = 'model' %}{% else %}{% set role = message['role'] %}{% endif %}{{ '<start>' + role + '\n' + message['content'] | trim + '<end>\n' }}{% endfor %}{% if add_generation_prompt %}{{'<start>model\n'}}{% endif %}",
    "{{ bos_token }}\n{%- if messages[0]['role'] == 'system' -%}\n    {%- if messages[0]['content'] is string -%}\n        {%- set first_user_prefix = messages[0]['content'] + '\n\n' -%}\n    {%- else -%}\n        {%- set first_user_prefix = messages[0]['content'][0]['text'] + '\n\n' -%}\n    {%- endif -%}\n    {%- set loop_messages = messages[1:] -%}\n{%- else -%}\n    {%- set first_user_prefix = \"\" -%}\n    {%- set loop_messages = messages -%}\n{%- endif -%}\n{%- for message in loop_messages -%}\n    {%- if (message['role'] == 'assistant') -%}\n        {%- set role = \"model\" -%}\n    {%- else -%}\n        {%- set role = message['role'] -%}\n    {%- endif -%}\n    {{ '<start>' + role + '\n' + (first_user_prefix if loop.first else \"\") }}\n    {%- if message['content'] is string -%}\n        {{ message['content'] | trim }}\n    {%- elif message['content'] is iterable -%}\n        {%- for item in message['content'] -%}{{ item['text'] | trim }}{%- endfor -%}\n    {%- else -%}\n        {{ raise_exception(\"Invalid content type\") }}\n    {%- endif -%}\n    {{ '<end>\n' }}\n{%- endfor -%}\n{%- if add_generation_prompt -%}\n    {{'<start>model\n'}}\n{%- endif -%}\n",
    # One line a role.
    "{% for message in messages %}{% if message['role'] == 'system' %}{{'<|system|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'user' %}{{'<|user|>\n' + message['content'] + '<|end|>\n'}}{% elif message['role'] == 'assistant' %}{{'<|assistant|>\n' + message['content'] + '<|end|>\n'}}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>\n' }}{% else %}{{ eos_token }}{% endif %}",
    "{% for message in messages %}\n{% if message['role'] == 'user' %}\n{{ '<|user|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'system' %}\n{{ '<|system|>\n' + message['content'] + eos_token }}\n{% elif message['role'] == 'assistant' %}\n{{ '<|assistant|>\n'  + message['content'] + eos_token }}\n{% endif %}\n{% if loop.last and add_generation_prompt %}\n{{ '<|assistant|>' }}\n{% endif %}\n{% endfor %}",
    "{% set sep = ' ' %}{% for m in messages %}{{ {'user': 'USER', 'assistant': 'ASSISTANT'}.get(m.role, m.role | upper) }}: {{ m.content }}{{ sep if m.role == 'user' else eos_token }}{% endfor %}{{ 'ASSISTANT:' if add_generation_prompt }}",
    "{% macro turn(role, content='', end=eos_token) -%}\n[{{ role }}] {{ content | trim }}{{ end }}\n{%- endmacro %}\n{% for m in messages %}{{ turn(m.role, m.content) }}{{ turn(m.role, end='!') }}{% endfor %}",
    "{%- macro render_properties(properties, depth=0) -%}\n{%- for name, spec in properties.items() %}\n{{ '  ' * depth }}- {{ name }}: {{ spec.type }}{% if spec.enum is defined %} ({{ spec['enum'] | join(', ') }}){% endif %}{% if spec.default is defined %} = {{ spec.default }}{% endif %}\n{%- endfor %}\n{%- endmacro %}\n{% if tools %}{% for tool in tools %}{{ tool.function.name }}{{ render_properties(tool.function.parameters.properties, 1) }}\n{% endfor %}{% else %}no tools{% endif %}\n{{ messages[-1]['content'] }}",
    "{% if documents %}{% for d in documents %}Document: {{ loop.index0 }}\n{{ d.title }}\n{{ d['text'] | indent(2) }}\n{% endfor %}{% endif %}{% if documents is none %}none{% endif %}{{ messages | map(attribute='role') | join(',') }}|{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list | length }}|{{ messages | rejectattr('role', 'eq', 'user') | list | length }}",
    # Scopes, namespaces, blocks.
    "{% set ns = namespace(found=false, count=0, text='') %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.found = true %}{% set ns.count = ns.count + 1 %}{% set ns.text = ns.text ~ m.content[:1] %}{% endif %}{% set inner = loop.index %}{% endfor %}{{ ns.found }}{{ ns.count }}{{ ns.text }}{{ inner is defined }}",
    "{% set head %}\n  <{{ messages[0].role }}>\n{% endset %}{{ head }}{{ head | trim }}{% filter upper %}{{ messages[0].content }}{% endfilter %}{% with a = 1, b = messages | length %}{{ a + b }}{% endwith %}",
    "{%- set d = {'z': 1, 'y': [1, 2.0, true, none, 'q\\'s'], 'x': {'n': {}}} -%}{{ d }}{{ d | tojson }}{{ d.items() | list }}{{ d | dictsort }}{% for k in d %}{{ k }}{% endfor %}{{ d.keys() | list | sort | join }}{{ d | length }}{{ messages[0].content }}",
    "{{ 7 // 2 }},{{ -7 // 2 }},{{ 7 % 3 }},{{ -7 % 3 }},{{ 2 ** 10 }},{{ 7 / 2 }},{{ 4 / 2 }},{{ 1e20 }},{{ 1.0 }},{{ 0.1 + 0.2 }},{{ 1e-7 }},{{ 10 | int }},{{ '12' | int + 1 }},{{ '3.5' | float }},{{ 3.7 | int }},{{ 1 < 2 < 3 }},{{ not true }},{{ 1 == 1.0 }},{{ true == 1 }},{{ none == false }}{{ messages[0].content | length > 3 }}",
    "{{ [1, 2, 3] | sum }}{{ [3, 1, 2] | sort }}{{ [3, 1, 2] | max }}{{ [1, 2, 2] | unique | list }}{{ range(3) | list }}{{ range(1, 9, 3) | list }}{{ [1, 2, 3, 4, 5] | batch(2) | list }}{{ [[1], [2]] + [[3]] }}{{ (1, 2) + (3,) }}{{ 'abc' | reverse }}{{ [1, 2] | reverse | list }}{{ messages[0].content | first | default('-', true) }}",
    "{%- for m in messages %}\n  {%- if loop.changed(m.role) %}\n{{ m.role }}:\n  {%- endif %}\n  {{ m.content }}\n{%- else %}\nnobody\n{%- endfor %}",
    "a  {# comment #}  b\n  {# alone #}\nc {%- if true %} d {% endif -%} e\n\n  {%+ if true %}  f{% endif %}\n{{ messages[0].content -}}\n   g\n{% raw %}{{ raw }} {% not %}{% endraw %}\n\n",
    "{% for m in messages %}\r\n{{ m.role }}:\r\n{{ m.content }}\r\n{% endfor %}\r\nend\r\n",
    "{{ \"\\x41\\u00e9\\t\\\\n\\'\\\"\" }}{{ 'a' 'b' }}{{ '\\d' }}{{ messages[0]['content'] }}\n",
    "{{ custom }}{{ number }}{{ flag }}{{ nothing }}{{ undefined_name }}{{ undefined_name is defined }}{{ (undefined_name | default({})).x }}{{ number + 1 if number is defined else 'no' }}{{ messages[0].content }}",
    "{{ pad_token }}{{ eos_token }}{{ bos_token }}{{ unk_token }}{{ unk_token is defined }}{{ additional_special_tokens is defined }}{{ messages[0].content }}{{ strftime_now('%Y-%m-%d %A %j') }}",
    "{% if messages | length > 2 and messages[2].role == 'user' %}{{ messages[2].content }}{% elif messages[1] is defined %}{{ messages[1].content }}{% else %}{{ messages[0].content }}{% endif %}{{ messages[5].role }}",
    "{{ messages[0].missing.deeper }}",
    "{{ messages[0].content + 1 }}",
    "{{ messages.append(1) }}",
    "{{ none.strip() }}{{ messages }}",
    "{% set items = [] %}{% for m in messages %}{% set items = items + [m.role] %}{% endfor %}{{ items }}{{ messages | map('tojson') | join }}{{ messages | map(attribute='content') | map('trim') | map('upper') | list }}",
    "{% for group in messages | groupby('role') %}{{ group.grouper }}:{{ group.list | length }}{{ group[0] }};{% endfor %}{{ messages[0].items is defined }}{{ messages[0].items() | list }}",
    "{% set x = messages[0] %}{{ x.role in ['user', 'system'] }}{{ 'role' in x }}{{ x.role not in ('a',) }}{{ 'us' in x.role }}{{ x.content or 'empty' }}{{ x.content and 'full' }}{{ [] or {} or 0 or '' or none }}|{{ not x.content }}",
    "{% for a, b in [('x', 1), ('y', 2)] %}{{ a }}{{ b }}{% endfor %}{% for c in 'héé' %}{{ c }}.{% endfor %}{% for k, v in {'p': 1, 'q': messages[0].role}.items() %}{{ k }}{{ v }}{% endfor %}{% set a, b = 1, 'z' %}{{ a }}{{ b }}",
    "{% macro outer(x) %}<{{ caller(x) }}>{% endmacro %}{% call(y) outer(messages[0].role) %}{{ y }}!{% endcall %}{{ messages[0].content | safe | replace('\\n', '<br>') }}{{ '%s' | format(messages[0].role) }}{{ '%d%%' % 5 }}",
]
TEMPLATES = [EACH.replace("%s", small) for small in SMALL] + WHOLE


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return DATE


def render(template, talk, prompt, variables):
    variables = {"tools": None, "documents": None} | variables
    try:
        rendered, _ = chat_template_utils.render_jinja_template(
            conversations=[talk],
            chat_template=template,
            add_generation_prompt=prompt,
            **(SPECIAL | variables),
        )
    except (jinja2.exceptions.TemplateError, TypeError, ValueError, AttributeError):
        return None
    return rendered[0]


def main():
    texts = None
    if len(sys.argv) > 1:
        texts = pathlib.Path(sys.argv[1])
        texts.mkdir(exist_ok=True)
    hashes = []
    with mock.patch.object(chat_template_utils, "datetime", Clock):
        for index, template in enumerate(TEMPLATES):
            row = [render(template, *conversation) for conversation in CONVERSATIONS]
            hashes.append([None if text is None else hashlib.sha256(text.encode()).hexdigest()[:16] for text in row])
            if texts:
                (texts / f"{index}.json").write_text(json.dumps(dict(template=template, texts=row)))
    data = dict(
        made_by=f"transformers {transformers.__version__}, jinja2 {jinja2.__version__}",
        date=DATE.strftime("%Y-%m-%d"),
        templates=TEMPLATES,
        conversations=[dict(messages=m, add_generation_prompt=p, variables=v) for m, p, v in CONVERSATIONS],
        hashes=hashes,
    )
    HERE.write_text(json.dumps(data, ensure_ascii=False, separators=(",", ":")) + "\n")
    refused = sum(text is None for row in hashes for text in row)
    print(len(TEMPLATES), "templates,", len(CONVERSATIONS), "conversations,", refused, "refused")


if __name__ == "__main__":
    main()
