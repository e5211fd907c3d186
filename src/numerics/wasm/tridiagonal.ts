/**
 * AssemblyScript, compiled to `../tridiagonal.wasm.ts` by `npm run docs`: the two loops of a symmetric eigenproblem that
 * are neither products nor small. All pointers are byte offsets of doubles; matrices are row-major.
 */

@inline
function at(base: usize, index: i32): usize {
	return base + (<usize>index << 3);
}

@inline
function get(base: usize, index: i32): f64 {
	return load<f64>(at(base, index));
}

@inline
function set(base: usize, index: i32, value: f64): void {
	store<f64>(at(base, index), value);
}

@inline
function pair(base: usize, index: i32): v128 {
	return v128.load(at(base, index));
}

@inline
function setPair(base: usize, index: i32, value: v128): void {
	v128.store(at(base, index), value);
}

@inline
function sumOf(lanes: v128): f64 {
	return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/**
 * Householder reduction of the n × n matrix whose lower triangle lies at `a` (Golub & Van Loan, 8.3.1), from the last row
 * up. Row i, left of the diagonal, ends as the vector u of its reflector I − tau[i]·u·uᵀ, u[i−1] = 1. `diagonal` and
 * `below` (entries 1…n−1) get the tridiagonal matrix; `work` is scratch of 2n doubles.
 *
 * The rank-two update of one step and the product with the next step's vector are one sweep over the triangle, two rows
 * at a time: the triangle goes through memory once a step.
 */
export function tridiagonalize(a: usize, n: i32, diagonal: usize, below: usize, tau: usize, work: usize): void {
	let q = work;
	let next = at(work, n);
	for (let k = 0; k < n; k++) set(q, k, 0);
	for (let i = n - 1; i > 0; i--) {
		const v = at(a, i * n);
		const u = i < n - 1 ? at(a, (i + 1) * n) : v;
		updateRow(v, u, q, i, i + 1);
		set(diagonal, i, get(v, i));
		const scale = reflector(v, i, below, tau);
		sweep(a, n, i, u, q, v, next);
		let along: f64 = 0;
		for (let k = 0; k < i; k++) {
			const value = scale * get(next, k);
			set(next, k, value);
			along += value * get(v, k);
		}
		along *= 0.5 * scale;
		for (let k = 0; k < i; k++) set(next, k, get(next, k) - along * get(v, k));
		const old = q;
		q = next;
		next = old;
	}
	if (n > 1) updateRow(a, at(a, n), q, 0, 1);
	set(diagonal, 0, get(a, 0));
}

/** Row r of A − u·qᵀ − q·uᵀ, its first `length` entries. */
function updateRow(row: usize, u: usize, q: usize, r: i32, length: i32): void {
	const qr = get(q, r);
	if (row == u) return;
	const ur = get(u, r);
	for (let k = 0; k < length; k++) set(row, k, get(row, k) - ur * get(q, k) - qr * get(u, k));
}

/** Turns the first i entries of row i into its reflector's vector; gives tau. */
function reflector(v: usize, i: i32, below: usize, tau: usize): f64 {
	const pivot = get(v, i - 1);
	let rest: f64 = 0;
	for (let k = 0; k < i - 1; k++) rest += get(v, k) * get(v, k);
	set(v, i - 1, 1);
	if (rest == 0) {
		set(below, i, pivot);
		set(tau, i, 0);
		for (let k = 0; k < i - 1; k++) set(v, k, 0);
		return 0;
	}
	const length = sqrt<f64>(pivot * pivot + rest);
	const beta = pivot >= 0 ? -length : length;
	const scale = 1 / (pivot - beta);
	for (let k = 0; k < i - 1; k++) set(v, k, get(v, k) * scale);
	set(below, i, beta);
	set(tau, i, (beta - pivot) / beta);
	return (beta - pivot) / beta;
}

/** Rows 0…i−1: A becomes A − u·qᵀ − q·uᵀ, and `product` the new A times v. */
function sweep(a: usize, n: i32, i: i32, u: usize, q: usize, v: usize, product: usize): void {
	for (let k = 0; k < i; k++) set(product, k, 0);
	let r = 0;
	for (; r + 1 < i; r += 2) {
		const row0 = at(a, r * n);
		const row1 = at(row0, n);
		const u0 = f64x2.splat(get(u, r));
		const u1 = f64x2.splat(get(u, r + 1));
		const q0 = f64x2.splat(get(q, r));
		const q1 = f64x2.splat(get(q, r + 1));
		const v0 = f64x2.splat(get(v, r));
		const v1 = f64x2.splat(get(v, r + 1));
		let sum0 = f64x2.splat(0);
		let sum1 = f64x2.splat(0);
		for (let k = 0; k < r; k += 2) {
			const uk = pair(u, k);
			const qk = pair(q, k);
			const vk = pair(v, k);
			const a0 = f64x2.sub(pair(row0, k), f64x2.add(f64x2.mul(u0, qk), f64x2.mul(q0, uk)));
			const a1 = f64x2.sub(pair(row1, k), f64x2.add(f64x2.mul(u1, qk), f64x2.mul(q1, uk)));
			setPair(row0, k, a0);
			setPair(row1, k, a1);
			sum0 = f64x2.add(sum0, f64x2.mul(a0, vk));
			sum1 = f64x2.add(sum1, f64x2.mul(a1, vk));
			setPair(product, k, f64x2.add(pair(product, k), f64x2.add(f64x2.mul(a0, v0), f64x2.mul(a1, v1))));
		}
		corner(row0, u, q, r, r);
		corner(row1, u, q, r + 1, r);
		corner(row1, u, q, r + 1, r + 1);
		const off = get(row1, r);
		set(product, r, get(product, r) + sumOf(sum0) + get(row0, r) * get(v, r) + off * get(v, r + 1));
		set(product, r + 1, get(product, r + 1) + sumOf(sum1) + off * get(v, r) + get(row1, r + 1) * get(v, r + 1));
	}
	if (r < i) lastRow(at(a, r * n), r, u, q, v, product);
}

@inline
function corner(row: usize, u: usize, q: usize, r: i32, k: i32): void {
	set(row, k, get(row, k) - get(u, r) * get(q, k) - get(q, r) * get(u, k));
}

/** The row that is left when their number is odd. */
function lastRow(row: usize, r: i32, u: usize, q: usize, v: usize, product: usize): void {
	const vr = get(v, r);
	let sum: f64 = 0;
	for (let k = 0; k < r; k++) {
		corner(row, u, q, r, k);
		sum += get(row, k) * get(v, k);
		set(product, k, get(product, k) + get(row, k) * vr);
	}
	corner(row, u, q, r, r);
	set(product, r, get(product, r) + sum + get(row, r) * vr);
}

/**
 * Eigenvalues of the tridiagonal matrix (`diagonal`, `below[1…n−1]`), in place and unordered, by implicit QL with
 * Wilkinson's shift. The rotations are applied to the rows of the n × width matrix at `rows` (width 0: none), which turns
 * an identity into eigenvectors as rows. Couplings of at most `tiny` count as zero. Gives 1 when it does not converge.
 */
export function ql(diagonal: usize, below: usize, n: i32, rows: usize, width: i32, tiny: f64): i32 {
	for (let i = 1; i < n; i++) set(below, i - 1, get(below, i));
	set(below, n - 1, 0);
	for (let first = 0; first < n; first++) {
		for (let tries = 0; ; tries++) {
			const last = blockEnd(diagonal, below, n, first, tiny);
			if (last == first) break;
			if (tries == 80) return 1;
			qlSweep(diagonal, below, first, last, rows, width);
		}
	}
	return 0;
}

function blockEnd(diagonal: usize, below: usize, n: i32, first: i32, tiny: f64): i32 {
	let last = first;
	for (; last < n - 1; last++) {
		const size = abs<f64>(get(diagonal, last)) + abs<f64>(get(diagonal, last + 1));
		const coupling = abs<f64>(get(below, last));
		if (coupling <= 2.220446049250313e-16 * size || coupling <= tiny) break;
	}
	return last;
}

function qlSweep(diagonal: usize, below: usize, first: i32, last: i32, rows: usize, width: i32): void {
	const start = get(diagonal, first);
	let ratio = (get(diagonal, first + 1) - start) / (2 * get(below, first));
	const root = sqrt<f64>(ratio * ratio + 1);
	let bulge = get(diagonal, last) - start + get(below, first) / (ratio + (ratio >= 0 ? root : -root));
	let s: f64 = 1;
	let c: f64 = 1;
	let shift: f64 = 0;
	for (let i = last - 1; i >= first; i--) {
		const off = s * get(below, i);
		const kept = c * get(below, i);
		const length = sqrt<f64>(off * off + bulge * bulge);
		set(below, i + 1, length);
		if (length == 0) {
			set(diagonal, i + 1, get(diagonal, i + 1) - shift);
			set(below, last, 0);
			return;
		}
		s = off / length;
		c = bulge / length;
		bulge = get(diagonal, i + 1) - shift;
		ratio = (get(diagonal, i) - bulge) * s + 2 * c * kept;
		shift = s * ratio;
		set(diagonal, i + 1, bulge + shift);
		bulge = c * ratio - kept;
		if (width > 0) rotate(at(rows, (i + 1) * width), at(rows, i * width), width, s, c);
	}
	set(diagonal, first, get(diagonal, first) - shift);
	set(below, first, bulge);
	set(below, last, 0);
}

function rotate(upper: usize, lower: usize, width: i32, s: f64, c: f64): void {
	const ss = f64x2.splat(s);
	const cc = f64x2.splat(c);
	let k = 0;
	for (; k + 1 < width; k += 2) {
		const x = pair(upper, k);
		const y = pair(lower, k);
		setPair(upper, k, f64x2.add(f64x2.mul(ss, y), f64x2.mul(cc, x)));
		setPair(lower, k, f64x2.sub(f64x2.mul(cc, y), f64x2.mul(ss, x)));
	}
	for (; k < width; k++) {
		const x = get(upper, k);
		const y = get(lower, k);
		set(upper, k, s * y + c * x);
		set(lower, k, c * y - s * x);
	}
}
