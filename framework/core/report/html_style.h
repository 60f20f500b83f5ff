// The style sheet of a report's HTML page. Seven colours that readers with a colour vision deficiency tell apart, in a
// light and a dark shade each. Thread contract: a constant.
#pragma once

#include <string_view>

namespace plumb {

inline constexpr std::string_view kReportStyle = R"css(
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--panel:#f4f6f8;--rule:#d5dae0;--mark:#a3161f;
--c0:#1f6fb4;--c1:#c65a11;--c2:#1d8a63;--c3:#8447b8;--c4:#97700b;--c5:#b83279;--c6:#4a5563}
@media (prefers-color-scheme:dark){:root{--ink:#e6e9ed;--soft:#9aa4af;--paper:#14171b;--panel:#1e2329;--rule:#333a42;
--mark:#ff8189;--c0:#6cb2f0;--c1:#f2985c;--c2:#58c79d;--c3:#c094ea;--c4:#d8b04a;--c5:#ef82b9;--c6:#a9b4c0}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.55 system-ui,sans-serif}
main{max-width:62rem;margin:0 auto;padding:2rem 1.25rem 4rem}
h1{font-size:1.9rem;line-height:1.2;margin:0 0 .75rem}
h2{font-size:1.35rem;margin:2.5rem 0 .6rem;padding-top:.6rem;border-top:1px solid var(--rule)}
h3{font-size:1.08rem;margin:1.8rem 0 .4rem}
p{margin:.5rem 0;overflow-wrap:anywhere}
a{color:var(--c0)}
nav ul{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;list-style:none;padding:0;margin:0}
code{font:.9em ui-monospace,monospace;background:var(--panel);padding:.1em .35em;border-radius:4px;overflow-wrap:anywhere}
.wide{overflow-x:auto;margin:.8rem 0}
table{border-collapse:collapse;font-size:.93rem}
th,td{text-align:left;vertical-align:top;padding:.35rem .9rem .35rem 0;border-bottom:1px solid var(--rule);white-space:pre-wrap}
th{font-weight:600;color:var(--soft)}
td.n{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}
.talk{background:var(--panel);border-radius:8px;padding:.4rem .9rem;margin:1.2rem 0 .6rem}
.talk p{white-space:pre-wrap}
figure{margin:1.2rem 0;max-width:46rem}
figcaption{color:var(--soft);font-size:.92rem}
svg{width:100%;height:auto;font:12px system-ui,sans-serif}
.grid{stroke:var(--rule)}.axis{stroke:var(--soft)}
.tick,.label{fill:var(--soft)}.marked{fill:var(--mark)}
.mark{stroke:var(--mark);stroke-dasharray:5 4;stroke-width:1.5}
.line{fill:none;stroke-width:2}.line.d1{stroke-dasharray:8 4}.line.d2{stroke-dasharray:2 4}
.line.s0{stroke:var(--c0)}.line.s1{stroke:var(--c1)}.line.s2{stroke:var(--c2)}.line.s3{stroke:var(--c3)}
.line.s4{stroke:var(--c4)}.line.s5{stroke:var(--c5)}.line.s6{stroke:var(--c6)}
.s0{fill:var(--c0);--c:var(--c0)}.s1{fill:var(--c1);--c:var(--c1)}.s2{fill:var(--c2);--c:var(--c2)}
.s3{fill:var(--c3);--c:var(--c3)}.s4{fill:var(--c4);--c:var(--c4)}.s5{fill:var(--c5);--c:var(--c5)}
.s6{fill:var(--c6);--c:var(--c6)}
.line.s0,.line.s1,.line.s2,.line.s3,.line.s4,.line.s5,.line.s6{fill:none}
.bar{opacity:.85}.dot.ring{fill:var(--paper);stroke:var(--c);stroke-width:2}
.legend li.ring::before{background:none;border-top:.25em dashed var(--c);height:0}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;margin:.2rem 0;color:var(--ink)}
.legend li::before{content:"";display:inline-block;width:1em;height:.25em;margin-right:.45em;vertical-align:middle;background:var(--c)}
details{margin:.8rem 0}summary{cursor:pointer;color:var(--c0)}
@media print{body{font-size:11pt}nav{display:none}main{max-width:none;padding:0}figure,.talk,tr{break-inside:avoid}
h2,h3{break-after:avoid}details>*{display:block}details::details-content{content-visibility:visible;block-size:auto}}
)css";

}  // namespace plumb
