import { loadModel } from './src/backends/onnx/load.ts';
import { checkText } from './src/check-text.ts';
import { runRecipe } from './src/passes/run.ts';
import { findAnatomy } from './src/ir/anatomy/anatomy.ts';
const cpu=()=>{const {user,system}=process.cpuUsage();return (user+system)/1e3};
const t=async(n,f)=>{const s=performance.now(),c=cpu();const r=await f();console.log(n,Math.round(performance.now()-s),'cpu',Math.round(cpu()-c));return r;};
for(let i=0;i<4;i++){
const { recipe } = await t('check',()=>checkText('prune heads 50% by l2; prune ffn 50% by l2'));
const loaded = await t('load',()=>loadModel('/dev/shm/h/in.onnx'));
console.log('nodes',loaded.model.graph.nodes.length);
await t('run',()=>runRecipe(recipe, loaded.model, { shapes: new Map(), seed: 0 }));
loaded.file.close();}
