import { loadModel } from './src/backends/onnx/load.ts';
import { inferFacts } from './src/ir/graph/facts.ts';
const { model } = loadModel(process.argv[2]!);
const facts = inferFacts(model);
const filt = process.argv[3];
for (const n of model.graph.nodes) { if (n.op==='Constant') continue;
 const f=(x:string)=>{const o=facts.of(x); return x+ '['+(o?.sizes?.map((s,i)=>s+(o.dynamic[i]?'*':'')).join(',')??'?')+']'+(o?.known&&o.known.values.length<9?'='+o.known.values.join('/')+(o.known.fixed.every(Boolean)?'':'~'):'')};
 const line=`${n.id} ${n.op} ${n.inputs.map(f).join(' , ')} -> ${n.outputs.map(f).join(' , ')} ${[...n.attributes].map(([k,a])=>k+'='+('value' in a && typeof a.value!=='object'?a.value:Array.isArray((a as any).value)?(a as any).value.join('/'):a.kind)).join(' ')}`;
 if(!filt||new RegExp(filt).test(line)) console.log(line.slice(0,400)); }
