/**
 * AssemblyScript, compiled to `../sums.wasm.ts` by `npm run docs`: sums of |v| or v² in double precision. Pointers are byte offsets, of
 * numbers of type T or of totals, which are doubles; float32 goes four numbers at a time.
 */

@inline
function low(four: v128): v128 {
	return f64x2.promote_low_f32x4(four);
}

@inline
function high(four: v128): v128 {
	return f64x2.promote_low_f32x4(v128.shuffle<f32>(four, four, 2, 3, 2, 3));
}

@inline
function size2(pair: v128, squared: bool): v128 {
	return squared ? f64x2.mul(pair, pair) : f64x2.abs(pair);
}

@inline
function size1<T>(from: usize, squared: bool): f64 {
	const value = <f64>load<T>(from);
	return squared ? value * value : abs<f64>(value);
}

@inline
function add2(total: usize, pair: v128): void {
	v128.store(total, f64x2.add(v128.load(total), pair));
}

@inline
function runOf<T>(from: usize, count: i32, squared: bool): f64 {
	const end = from + <usize>count * sizeof<T>();
	let at = from;
	let sum: f64 = 0;
	if (sizeof<T>() == 4) {
		let a = f64x2.splat(0);
		let b = a;
		let c = a;
		let d = a;
		for (; at + 32 <= end; at += 32) {
			const first = v128.load(at);
			const second = v128.load(at, 16);
			a = f64x2.add(a, size2(low(first), squared));
			b = f64x2.add(b, size2(high(first), squared));
			c = f64x2.add(c, size2(low(second), squared));
			d = f64x2.add(d, size2(high(second), squared));
		}
		const all = f64x2.add(f64x2.add(a, b), f64x2.add(c, d));
		sum = f64x2.extract_lane(all, 0) + f64x2.extract_lane(all, 1);
	}
	for (; at < end; at += sizeof<T>()) sum += size1<T>(at, squared);
	return sum;
}

@inline
function eachOf<T>(from: usize, count: i32, totals: usize, squared: bool): void {
	const end = from + <usize>count * sizeof<T>();
	let at = from;
	let total = totals;
	if (sizeof<T>() == 4) {
		for (; at + 16 <= end; at += 16) {
			const four = v128.load(at);
			add2(total, size2(low(four), squared));
			add2(total + 16, size2(high(four), squared));
			total += 32;
		}
	}
	for (; at < end; at += sizeof<T>()) {
		store<f64>(total, load<f64>(total) + size1<T>(at, squared));
		total += 8;
	}
}

/** `state` is where the last call ended: the stretch, and how many numbers of it are to come. */
@inline
function runsOf<T>(
	from: usize,
	count: i32,
	totals: usize,
	lengths: usize,
	stretches: i32,
	state: usize,
	squared: bool,
): void {
	let at = load<i32>(state);
	let left = load<i32>(state, 4);
	let next = from;
	for (let rest = count; rest > 0; ) {
		const length = min(rest, left);
		const total = totals + (<usize>at << 3);
		store<f64>(total, load<f64>(total) + runOf<T>(next, length, squared));
		next += <usize>length * sizeof<T>();
		rest -= length;
		left -= length;
		if (left > 0) continue;
		at = at + 1 == stretches ? 0 : at + 1;
		left = load<i32>(lengths + (<usize>at << 2));
	}
	store<i32>(state, at);
	store<i32>(state, left, 4);
}

/** Adds `count` numbers to the totals of stretches that follow each other and begin anew after the last. */
export function runFloats(
	from: usize,
	count: i32,
	totals: usize,
	lengths: usize,
	stretches: i32,
	state: usize,
	squared: bool,
): void {
	if (squared) runsOf<f32>(from, count, totals, lengths, stretches, state, true);
	else runsOf<f32>(from, count, totals, lengths, stretches, state, false);
}

export function runDoubles(
	from: usize,
	count: i32,
	totals: usize,
	lengths: usize,
	stretches: i32,
	state: usize,
	squared: bool,
): void {
	if (squared) runsOf<f64>(from, count, totals, lengths, stretches, state, true);
	else runsOf<f64>(from, count, totals, lengths, stretches, state, false);
}

/** Adds each of `count` numbers to a total of its own. */
export function eachFloat(from: usize, count: i32, totals: usize, squared: bool): void {
	if (squared) eachOf<f32>(from, count, totals, true);
	else eachOf<f32>(from, count, totals, false);
}

export function eachDouble(from: usize, count: i32, totals: usize, squared: bool): void {
	if (squared) eachOf<f64>(from, count, totals, true);
	else eachOf<f64>(from, count, totals, false);
}
